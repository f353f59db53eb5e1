"""Training a network on a case library."""

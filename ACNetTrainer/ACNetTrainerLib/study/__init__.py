"""The comparison of networks and what goes with it."""

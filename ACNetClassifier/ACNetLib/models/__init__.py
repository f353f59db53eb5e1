"""Model files: card, weights, and where they are kept."""

"""The comparison of networks and what goes with it."""

PAPER_1, PAPER_2, HONEST = "paper-1", "paper-2", "honest"
PROTOCOLS = (PAPER_1, PAPER_2, HONEST)

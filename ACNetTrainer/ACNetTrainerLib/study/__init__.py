"""The comparison of networks and what goes with it."""

from typing import Any

PAPER_1, PAPER_2, HONEST = "paper-1", "paper-2", "honest"
PROTOCOLS = (PAPER_1, PAPER_2, HONEST)
VARIANTS: dict[str, dict[str, Any]] = {
    "acnet-without-attention": {"attention": "none"},
    "acnet-mask-only": {"attention": "product"},
    "acnet-one-module": {"attention_modules": 1},
    "acnet-untaught": {},
}
"""ACNet without one of its parts, by arguments of its constructor. The last is not taught where to attend."""

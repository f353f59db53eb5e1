"""An honest number from one library: every patient is evaluated by a model that was trained without it."""

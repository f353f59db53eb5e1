"""A scanner's own normal T1."""

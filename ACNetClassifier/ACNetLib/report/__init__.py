"""A result as files and as words."""

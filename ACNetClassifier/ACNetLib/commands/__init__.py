"""The command acnet."""

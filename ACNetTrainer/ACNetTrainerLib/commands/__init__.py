"""The command acnet-train."""

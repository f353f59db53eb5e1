"""From a T1 map to a result."""

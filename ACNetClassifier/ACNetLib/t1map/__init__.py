"""T1 maps: what they are, how they are read, checked and cut."""

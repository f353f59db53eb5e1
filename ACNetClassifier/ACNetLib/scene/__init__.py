"""T1 maps and results in a MRML scene."""

"""The core of ACNet: from a cardiac T1 map to a probability of DCM and the network's attention mask, without Slicer."""

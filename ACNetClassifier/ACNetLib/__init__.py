"""The core of ACNet: from a cardiac T1 map to a probability of DCM and the network's attention mask, without Slicer."""

__version__ = "0.1.0"
"""Of the whole extension; pyproject.toml takes it from here, for in Slicer an extension is no Python package."""
SOFTWARE = "SlicerACNet"
"""How results, reports and DICOM objects name it."""
DOCUMENTATION = "https://github.com/SlicerACNet/SlicerACNet/blob/main/Documentation/"
"""Where the pages of the branch that the extension index builds can be read."""

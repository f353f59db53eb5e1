"""DICOM: which images of a folder are the T1 map, and the volume they form."""

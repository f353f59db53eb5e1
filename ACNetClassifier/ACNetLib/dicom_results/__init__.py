"""A study's result as DICOM objects, a segmentation of each T1 map and a structured report, by the extra highdicom."""

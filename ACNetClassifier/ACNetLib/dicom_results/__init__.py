"""A study's result as DICOM objects, by the extra highdicom: segmentations, parametric maps, a structured report."""

"""Volume files: NRRD, MetaImage and NIfTI, read with every number of their headers checked."""

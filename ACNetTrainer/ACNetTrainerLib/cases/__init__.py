"""Case libraries: annotated slices in a folder."""

"""The panel of the ACNet Classifier module: what the user sees, and the module's logic. For Slicer's Python only."""

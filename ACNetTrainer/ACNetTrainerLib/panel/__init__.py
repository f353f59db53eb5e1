"""The panel of the ACNet Trainer module, and the module's logic. For Slicer's Python only."""

"""ACNet and the localizer."""

"""Training and evaluating the localizer, the network that finds the left ventricle."""

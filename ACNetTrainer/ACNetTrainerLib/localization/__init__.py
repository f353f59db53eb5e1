"""Training and judging the localizer, the network that finds the left ventricle."""

"""T1 maps from inversion and saturation recovery images: models, fit, motion, files. Free of torch."""

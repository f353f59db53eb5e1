"""The colours of all overlays and maps, for the scene, the report and the reading list: RGB or RGBA from 0 to 1."""

from __future__ import annotations

BAND_COLORS = (
    (0.0, 0.0, 0.0, 0.0),
    (0.23, 0.32, 0.55, 1.0),
    (0.13, 0.57, 0.55, 1.0),
    (0.37, 0.79, 0.38, 1.0),
    (0.99, 0.91, 0.15, 1.0),
)
"""Of each band of attention, from the viridis scale; the lowest is see-through, so that the T1 map stays in view."""

WALL_COLOR = (0.85, 0.37, 0.01, 1.0)
CAVITY_COLOR = (0.46, 0.44, 0.70, 1.0)
SEPTUM_COLOR = (0.99, 0.72, 0.39, 1.0)
"""The ventricle's parts in the slice views."""

# The colour tables inferno and viridis, in nine steps: as bright as the value, also for those who see few colours.
INFERNO = (
    (0.001, 0.000, 0.014),
    (0.129, 0.047, 0.291),
    (0.342, 0.062, 0.429),
    (0.541, 0.135, 0.415),
    (0.736, 0.216, 0.330),
    (0.894, 0.353, 0.194),
    (0.978, 0.558, 0.035),
    (0.975, 0.798, 0.206),
    (0.988, 0.998, 0.645),
)
VIRIDIS = (
    (0.267, 0.005, 0.329),
    (0.279, 0.175, 0.483),
    (0.230, 0.322, 0.546),
    (0.173, 0.449, 0.558),
    (0.128, 0.567, 0.551),
    (0.158, 0.684, 0.502),
    (0.369, 0.789, 0.383),
    (0.678, 0.864, 0.190),
    (0.993, 0.906, 0.144),
)
# Blue over light grey to red, after Moreland 2009: as dark on both sides.
DIVERGING = (
    (0.230, 0.299, 0.754),
    (0.484, 0.616, 0.974),
    (0.754, 0.830, 0.961),
    (0.865, 0.865, 0.865),
    (0.969, 0.720, 0.612),
    (0.887, 0.413, 0.324),
    (0.706, 0.016, 0.150),
)
# Which the quantitative MR community settled on (Fuderer 2024), lipari for T1 and navia for T2: after
# the tables of F. Crameri's Scientific colour maps (MIT licence, Copyright (c) 2020 Fabio Crameri).
LIPARI = (
    (0.011, 0.073, 0.148),
    (0.047, 0.183, 0.305),
    (0.166, 0.295, 0.441),
    (0.319, 0.358, 0.480),
    (0.419, 0.371, 0.462),
    (0.522, 0.377, 0.435),
    (0.643, 0.384, 0.403),
    (0.783, 0.403, 0.374),
    (0.899, 0.482, 0.384),
    (0.913, 0.602, 0.451),
    (0.899, 0.707, 0.537),
    (0.927, 0.827, 0.675),
    (0.992, 0.959, 0.857),
)
NAVIA = (
    (0.013, 0.076, 0.153),
    (0.023, 0.170, 0.315),
    (0.044, 0.274, 0.473),
    (0.103, 0.376, 0.562),
    (0.159, 0.447, 0.560),
    (0.205, 0.496, 0.533),
    (0.254, 0.542, 0.502),
    (0.315, 0.597, 0.466),
    (0.396, 0.669, 0.424),
    (0.532, 0.763, 0.414),
    (0.735, 0.856, 0.534),
    (0.890, 0.916, 0.711),
    (0.987, 0.958, 0.850),
)

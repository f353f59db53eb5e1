"""Measurements of real hearts that the simulated ones are held against.

Means and standard deviations between patients, measured on the manual end-diastolic short-axis masks of ACDC (Bernard
2018, doi 10.1109/TMI.2018.2837502): 29 normal, 30 DCM, 30 hypertrophic ("hcm"), 29 infarct and 30 with an abnormal
right ventricle ("rv"). Aggregates only. Lengths in mm, areas in cm2, angles in degrees; levels at 20, 50 and 80 % of
the slices whose cavity is closed by wall. Within-wall T1: a public table of MOLLI stacks of 50 subjects.
"""

from __future__ import annotations

from .hearts import Label

MEASURES = (
    "cavity_diameter",
    "wall",
    "septal_wall",
    "lateral_wall",
    "wall_variation",
    "rv_area",
    "rv_width",
    "rv_span",
    "rv_hull",
)
Row = tuple[tuple[float, float], ...]
"""Mean and standard deviation of each of MEASURES."""

SIZES: dict[tuple[str, str], Row] = {
    ("normal", "base"): (
        (52.4, 4.5),
        (8.1, 1.3),
        (8.8, 1.8),
        (7.8, 1.6),
        (1.3, 0.3),
        (30.6, 5.3),
        (43.4, 4.7),
        (121, 13),
        (0.85, 0.05),
    ),
    ("normal", "mid"): (
        (49.3, 4.1),
        (7.0, 1.0),
        (7.5, 1.4),
        (7.1, 1.3),
        (1.2, 0.2),
        (17.9, 4.9),
        (35.0, 5.9),
        (113, 13),
        (0.82, 0.07),
    ),
    ("normal", "apex"): (
        (36.8, 3.4),
        (6.5, 1.1),
        (6.3, 1.4),
        (7.0, 1.3),
        (1.1, 0.3),
        (7.3, 2.7),
        (23.2, 5.8),
        (98, 22),
        (0.86, 0.09),
    ),
    ("dcm", "base"): (
        (71.3, 5.1),
        (8.5, 1.1),
        (9.2, 1.6),
        (7.9, 1.1),
        (1.4, 0.3),
        (32.6, 9.9),
        (42.1, 9.2),
        (112, 8),
        (0.81, 0.07),
    ),
    ("dcm", "mid"): (
        (68.1, 6.1),
        (7.9, 1.3),
        (9.1, 1.8),
        (7.5, 1.4),
        (1.5, 0.3),
        (20.1, 8.9),
        (32.4, 9.6),
        (105, 13),
        (0.75, 0.07),
    ),
    ("dcm", "apex"): (
        (52.7, 6.1),
        (7.1, 1.0),
        (7.8, 1.7),
        (7.0, 1.4),
        (1.3, 0.3),
        (8.8, 5.7),
        (21.6, 8.2),
        (85, 28),
        (0.84, 0.16),
    ),
    ("hcm", "mid"): (
        (47.9, 3.9),
        (11.4, 2.9),
        (13.5, 4.2),
        (10.1, 2.7),
        (2.5, 1.2),
        (14.2, 5.4),
        (29.4, 6.9),
        (95, 12),
        (0.81, 0.09),
    ),
    ("infarct", "mid"): (
        (57.5, 6.0),
        (7.8, 1.5),
        (8.6, 2.1),
        (7.7, 1.8),
        (1.7, 0.6),
        (14.4, 5.4),
        (28.0, 6.8),
        (103, 14),
        (0.77, 0.08),
    ),
    ("rv", "mid"): (
        (48.1, 5.7),
        (6.7, 1.3),
        (7.6, 1.6),
        (6.3, 1.7),
        (1.3, 0.4),
        (31.7, 7.8),
        (46.7, 6.6),
        (128, 8),
        (0.87, 0.05),
    ),
}
"""By class and level. Of the other diseases at mid level alone."""
CORRELATIONS: dict[Label, dict[tuple[str, str], float]] = {
    "normal": {
        ("cavity_diameter", "wall"): 0.21,
        ("cavity_diameter", "rv_area"): 0.66,
        ("wall", "rv_area"): 0.54,
        ("septal_wall", "lateral_wall"): 0.47,
        ("rv_area", "rv_width"): 0.71,
        ("rv_area", "rv_span"): 0.09,
    },
    "dcm": {
        ("cavity_diameter", "wall"): 0.00,
        ("cavity_diameter", "rv_area"): 0.49,
        ("wall", "rv_area"): -0.25,
        ("septal_wall", "lateral_wall"): 0.40,
        ("rv_area", "rv_width"): 0.92,
        ("rv_area", "rv_span"): 0.59,
    },
}
HARMONICS: dict[Label, dict[str, tuple[float, ...]]] = {
    "normal": {
        "endocardium": (0.065, 0.033, 0.017, 0.013, 0.009),
        "epicardium": (0.041, 0.022, 0.011, 0.009, 0.007),
    },
    "dcm": {
        "endocardium": (0.049, 0.030, 0.013, 0.010, 0.008),
        "epicardium": (0.031, 0.023, 0.010, 0.008, 0.008),
    },
}
RAYS_MM: dict[Label, tuple[float, ...]] = {
    "normal": (8.8, 20.8, 32.9, 31.2, 26.9, 19.8, 11.5, 5.7),
    "dcm": (9.4, 20.9, 31.0, 27.9, 23.3, 17.9, 11.1, 5.6),
}
"""Mean reach of the right ventricle at `shapes.RAY_ANGLES_DEG`, mid level, of the patients whose ray meets it: from -30
to 45 degrees 97 % or more."""
CUES: dict[str, tuple[float, float]] = {
    "rv_area": (0.54, 0.07),
    "rv_width": (0.38, 0.10),
    "wall": (0.69, 0.07),
    "septal_wall": (0.78, 0.07),
}
"""How well one measure at mid level tells DCM (above) from normal: AUROC, and how far the simulation may be from it."""
RV_DIRECTION_DEG = {5: 124.0, 50: 153.0, 95: 225.0}
"""Percentiles over patients of the direction from the left to the right ventricle, as seen in the image: 0 right, 90
down, 180 left."""
LV_OFFSET_SD_MM = 16.0
PIXEL_MEDIAN_MM = 1.5
WALL_T1_SPREAD_MS = {
    "standard deviation": (85.0, 15.0),
    "interquartile range": (102.0, 22.0),
    "10th to 90th percentile": (205.0, 39.0),
}
"""Of native T1 within one subject's wall: mean and standard deviation between subjects."""

"""Simulated maps as DICOM, as different manufacturers write them."""

PARAMETRIC_MAP = "parametric-map"
FLAVOURS = ("siemens", "philips", "shmolli", "ge", PARAMETRIC_MAP)

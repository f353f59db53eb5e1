"""Simulated maps as DICOM, as different manufacturers write them."""

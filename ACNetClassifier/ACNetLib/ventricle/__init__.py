"""The left ventricle on a slice, and what is measured of it."""

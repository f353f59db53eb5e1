"""From a T1 map to a result."""

from ACNetLib.inference.pipeline import load_finder, load_pipeline
from ACNetLib.inference.settings import Settings

__all__ = ["Settings", "load_finder", "load_pipeline"]

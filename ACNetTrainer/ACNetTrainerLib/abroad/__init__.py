"""A second simulation, independent of `simulation`: to test with, never to train on. See Documentation/abroad.md.

Shapes, surroundings, physics and geometry are its own; only the labels' definitions and the files are shared.
"""

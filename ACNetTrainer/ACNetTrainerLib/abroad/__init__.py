"""Simulated T1 maps of another make than `simulation`'s, to test with and never to train on: Documentation/abroad.md.

Shapes, surroundings, physics and geometry are written anew; only the labels' definitions and the files are shared.
"""

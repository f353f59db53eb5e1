"""Simulated cardiac T1 maps: a patient's anatomy, the MOLLI acquisition of it, and cohorts of such patients.

Everything made here is simulated and says so in its files. Numbers and their sources: Documentation/simulation.md.
"""

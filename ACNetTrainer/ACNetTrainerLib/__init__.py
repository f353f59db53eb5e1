"""Retraining ACNet on annotated cases, and simulating cases where none can be had."""

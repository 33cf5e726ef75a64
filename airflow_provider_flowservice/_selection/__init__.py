"""Selects flows and runs."""

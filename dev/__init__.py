"""Scripts for work on the package; each runs as ``python -m dev.NAME``."""

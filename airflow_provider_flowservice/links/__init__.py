"""Operator links of the Flow Service provider."""

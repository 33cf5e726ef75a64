"""Sensors of the Flow Service provider."""

"""Triggers of the Flow Service provider."""

"""Hooks of the Flow Service provider."""

"""Recordings of a Flow Service for others to read: without what identifies a customer."""

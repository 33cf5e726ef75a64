"""How the end of a wait ends a task."""

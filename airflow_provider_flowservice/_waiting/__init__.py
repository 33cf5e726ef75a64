"""How to wait for a run: when to poll, for how long, and with which requests."""

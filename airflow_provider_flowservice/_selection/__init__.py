"""Which flows and runs are meant."""

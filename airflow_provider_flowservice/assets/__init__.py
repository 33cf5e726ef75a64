"""Assets: datasets of Experience Platform."""

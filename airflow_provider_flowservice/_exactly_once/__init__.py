"""One re-trigger or start, whatever crashes."""

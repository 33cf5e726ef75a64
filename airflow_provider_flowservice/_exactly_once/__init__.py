"""One re-trigger, whatever crashes."""

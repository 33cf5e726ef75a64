"""The commands of the terminal, and their exit statuses."""

NONE_FAILED, SOME_FAILED, NOT_SEEN = 0, 1, 3

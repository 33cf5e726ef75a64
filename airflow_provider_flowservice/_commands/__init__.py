"""The commands of the terminal, and their exit statuses."""

NONE_FAILED, SOME_FAILED, WRONG_ARGUMENTS, NOT_SEEN = 0, 1, 2, 3
AS_ASSUMED, DIFFERS = 0, 1
INTERRUPTED = 130  # as shells have it

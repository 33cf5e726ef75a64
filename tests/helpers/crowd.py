"""Counts how many are at work at the same time."""

from __future__ import annotations

import threading
import time


class Crowd:
    """
    Those at work at the moment, in any threads.

    :param seconds: How long each is at work, so that others may come.
    """

    def __init__(self, seconds):
        self.sizes = []
        """How many were there whenever one came."""
        self._seconds = seconds
        self._present = 0
        self._lock = threading.Lock()

    def work(self):
        with self._lock:
            self._present += 1
            self.sizes.append(self._present)
        time.sleep(self._seconds)
        with self._lock:
            self._present -= 1

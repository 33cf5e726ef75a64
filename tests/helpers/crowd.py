"""Counts how many are at work at the same time."""

from __future__ import annotations

import threading
import time


class Crowd:
    """
    Those at work at the moment, in any threads.

    :param number: For how many the first ones wait; on a busy machine they take their time to come.
    :param seconds: How long each is at work then, so that more of them would meet.
    """

    def __init__(self, number, seconds):
        self.sizes = []
        """How many were there whenever one came."""
        self._number = number
        self._seconds = seconds
        self._present = 0
        self._one_came = threading.Condition()

    def work(self):
        with self._one_came:
            self._present += 1
            self.sizes.append(self._present)
            self._one_came.notify_all()
            self._one_came.wait_for(lambda: max(self.sizes) >= self._number, timeout=10)
        time.sleep(self._seconds)
        with self._one_came:
            self._present -= 1

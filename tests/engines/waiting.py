"""Waiting for another process, briefly and with an end."""

import time
from collections.abc import Callable

PATIENCE_SECONDS = 60.0
PAUSE_SECONDS = 0.02


def wait_until(is_so: Callable[[], bool]) -> None:
    """Return as soon as something is so.

    Raises:
        TimeoutError: It never was.
    """
    until = time.monotonic() + PATIENCE_SECONDS
    while not is_so():
        if time.monotonic() > until:
            raise TimeoutError
        time.sleep(PAUSE_SECONDS)

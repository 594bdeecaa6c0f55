"""Backoff: how long a job that failed waits before its next attempt."""

import random
from datetime import timedelta

BACKOFF_SECONDS = 1.0
MAX_BACKOFF_SECONDS = 60.0


def backoff(attempt: int) -> timedelta:
    """Return how long to wait before the next attempt: doubling, with jitter, capped."""
    seconds = min(MAX_BACKOFF_SECONDS, BACKOFF_SECONDS * 2 ** (attempt - 1))
    return timedelta(seconds=seconds * random.uniform(0.5, 1.0))  # noqa: S311 - jitter

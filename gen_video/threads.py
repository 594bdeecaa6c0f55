"""Threads of the asynchronous doors: where synchronous service calls and slow errands run."""

import asyncio
from collections import Counter
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from functools import partial
from typing import ParamSpec, TypeVar

from gen_video.errors import ServiceUnavailableError

DOOR_THREADS = 8
ERRAND_THREADS, ERRANDS, ERRANDS_OF_ACCOUNT = 8, 32, 4

Parameters = ParamSpec("Parameters")
Result = TypeVar("Result")


class DoorThreads:
    """The threads on which an asynchronous door runs one synchronous service call."""

    def __init__(self, count: int = DOOR_THREADS, *, name: str = "door") -> None:
        self._pool = ThreadPoolExecutor(count, thread_name_prefix=name)

    async def run(
        self,
        function: Callable[Parameters, Result],
        *args: Parameters.args,
        **kwargs: Parameters.kwargs,
    ) -> Result:
        """Run a call off the event loop and return its result."""
        loop = asyncio.get_running_loop()
        return await loop.run_in_executor(self._pool, partial(function, *args, **kwargs))

    def close(self) -> None:
        """Wait for running calls and end the threads."""
        self._pool.shutdown(wait=True, cancel_futures=True)


class Errands:
    """Slow calls for users, on threads of their own: a slow server of one user stops nobody else.

    Used by one event loop.
    """

    def __init__(self) -> None:
        self._threads = DoorThreads(ERRAND_THREADS, name="errand")
        self._open: Counter[str] = Counter()

    async def run(
        self,
        account_id: str,
        function: Callable[Parameters, Result],
        *args: Parameters.args,
        **kwargs: Parameters.kwargs,
    ) -> Result:
        """Run a call for an account.

        Raises:
            ServiceUnavailableError: It has too many under way already, or everybody together has.
        """
        is_busy = self._open[account_id] >= ERRANDS_OF_ACCOUNT or self._open.total() >= ERRANDS
        if is_busy:
            raise ServiceUnavailableError("image reader busy")
        self._open[account_id] += 1
        try:
            return await self._threads.run(function, *args, **kwargs)
        finally:
            self._open[account_id] -= 1
            self._open += Counter()  # forgets those at zero

    def close(self) -> None:
        """Wait for running calls and end the threads."""
        self._threads.close()

"""The pulse of a PostgreSQL server: tells a slow statement from a server that is gone.

A frozen server, or a network that swallows packets, closes no connection: the kernel waits for
minutes. So who waits for an answer for `SILENCE_SECONDS` asks for the pulse: a connection of its
own that says `SELECT 1`. A server that answers it is only slow, and the wait goes on; one that does
not is away, every waiting call ends at once, and later calls fail without trying until the pulse
is back. One thread asks for all; it lives only while there is doubt.
"""

import threading
import time
from collections.abc import Callable
from typing import TypeVar, cast

import psycopg
import structlog
from psycopg.abc import PQGen
from typing_extensions import override

SILENCE_SECONDS = 0.7
"""Who waited so long without a byte from the server asks for its pulse."""

PROBE_SECONDS = 1.0
"""A server that has not answered the probe by then is away."""

AGAIN_SECONDS = 0.5
TICK_SECONDS = 0.1

REFUSALS = ("FATAL", "致命错误")
"""How an error begins that the server itself sent while somebody connected."""

Returned = TypeVar("Returned")
log = structlog.get_logger(__name__)


class ServerSilentError(psycopg.OperationalError):
    """Nobody answers at the other end of the connection."""


class WatchedConnection(psycopg.Connection[tuple[object, ...]]):
    """A connection that gives up on a server that is gone.

    `patience_seconds` bounds every answer, also that of a server whose pulse is good.
    """

    pulse: "Pulse | None" = None
    patience_seconds = 10.0

    @override
    def wait(
        self,
        gen: PQGen[Returned],
        interval: float = TICK_SECONDS,
        timeout: float | None = None,
    ) -> Returned:
        """Wait for the server; close the connection when that is pointless.

        Raises:
            ServerSilentError: The server is away, or the patience is over.
        """
        if timeout is not None:
            # Whoever names a time, as the wait for notifications does, expects silence.
            return super().wait(gen, interval, timeout)
        return super().wait(self._listening(gen), interval)

    def _listening(self, answer: PQGen[Returned]) -> PQGen[Returned]:
        started = heard = time.monotonic()
        try:
            wanted = next(answer)
            while True:
                ready = yield wanted
                now = time.monotonic()
                if ready:
                    heard = now
                elif now - heard > SILENCE_SECONDS or (self.pulse and self.pulse.is_away):
                    self._doubt(now - started)
                    heard = time.monotonic()
                wanted = answer.send(ready)
        except StopIteration as end:
            return cast("Returned", end.value)

    def _doubt(self, waited_seconds: float) -> None:
        is_answering = self.pulse is None or self.pulse.answers()
        if is_answering and waited_seconds < self.patience_seconds:
            return
        self.close()
        raise ServerSilentError("the server does not answer")


class Pulse:
    """Whether a server answers anybody, for all connections of one process to it.

    Args:
        connect: Opens a connection of its own to the server, or raises.
    """

    def __init__(self, connect: Callable[[], WatchedConnection]) -> None:
        self._connect = connect
        self._guard = threading.Lock()
        self._first_try: threading.Event | None = None
        self._answered_at = -SILENCE_SECONDS
        self._is_closed = threading.Event()
        self.is_away = False

    def answers(self) -> bool:
        """Tell, within `PROBE_SECONDS`, whether the server answers."""
        if self.is_away:
            return False
        if time.monotonic() - self._answered_at < SILENCE_SECONDS:
            return True
        tried = self._probe()
        if not tried.wait(PROBE_SECONDS):
            self._note_silence(tried)
        return not self.is_away

    def note_silence(self) -> None:
        """Take it from somebody who could not connect that the server is away, until it answers."""
        self._note_silence(self._probe())

    def close(self) -> None:
        """Let the probing end."""
        self._is_closed.set()

    def _probe(self) -> threading.Event:
        with self._guard:
            if self._first_try is None:
                self._first_try = threading.Event()
                threading.Thread(
                    target=self._run, args=(self._first_try,), name="pulse", daemon=True
                ).start()
            return self._first_try

    def _note_silence(self, tried: threading.Event) -> None:
        with self._guard:
            # The probe may have come back in this very moment.
            if self._first_try is tried and not self.is_away:
                self.is_away = True
                log.error("database_does_not_answer")

    def _run(self, tried: threading.Event) -> None:
        while not self._is_closed.is_set():
            is_answering = self._ask()
            if is_answering:
                break
            self._note_silence(tried)
            tried.set()
            self._is_closed.wait(AGAIN_SECONDS)
        with self._guard:
            self._first_try = None
            self._answered_at = time.monotonic()
            if self.is_away:
                log.info("database_answers_again")
            self.is_away = False
        tried.set()

    def _ask(self) -> bool:
        try:
            with self._connect() as connection:
                connection.execute("SELECT 1")
        except psycopg.Error as error:
            # A server that refuses is there: those who call it are told why, and at once.
            return any(word in str(error) for word in REFUSALS)
        return True

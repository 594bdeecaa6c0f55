"""Threads for passwords: a hash takes 64 MiB and a core, so few are made at once."""

from fastapi import Request

from gen_video.threads import DoorThreads

PASSWORD_THREADS = 2


def password_threads(request: Request) -> DoorThreads:
    """Return the threads of this process on which passwords are compared."""
    threads: DoorThreads = request.app.state.password_threads
    return threads

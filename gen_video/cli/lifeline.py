"""The lifeline: a pipe that ends when the supervisor does, however it ended.

The supervisor keeps the write end and never writes. A child reads: end of file means that nobody
looks after it any more, so it stops, and leaves by force when stopping takes too long. On Linux
the kernel tells it as well.
"""

import ctypes
import os
import signal
import sys
import threading
import time

PR_SET_PDEATHSIG = 1
GRACE_SECONDS = 30.0


def hold_lifeline(descriptor: int | None) -> None:
    """Tie this process to the read end of its supervisor's pipe; None ties it to nothing."""
    if descriptor is None:
        return
    if sys.platform == "linux":
        ctypes.CDLL(None, use_errno=True).prctl(PR_SET_PDEATHSIG, signal.SIGTERM)
    threading.Thread(target=_watch, args=(descriptor,), name="lifeline", daemon=True).start()


def _watch(descriptor: int) -> None:
    while os.read(descriptor, 1):
        pass
    os.kill(os.getpid(), signal.SIGTERM)
    time.sleep(GRACE_SECONDS)
    os._exit(1)

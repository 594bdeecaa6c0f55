"""Who types the commands, for the audit log."""

import getpass
import socket

from gen_video.audit_log.models import Actor, ActorKind


def this_operator() -> Actor:
    """Return the user of this machine who runs the command."""
    try:
        user = getpass.getuser()
    except (KeyError, OSError):  # a container may run under a number without a name
        user = "unknown"
    return Actor(kind=ActorKind.COMMAND_LINE, name=f"{user}@{socket.gethostname()}")

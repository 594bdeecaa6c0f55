"""Who acts, for the audit log: the one who is signed in."""

from gen_video.audit_log.models import Actor, ActorKind
from gen_video.console.visits import Visit


def actor_of(visit: Visit) -> Actor:
    """Return who looks at the page."""
    caller = visit.caller
    return Actor(kind=ActorKind.CONSOLE, name=caller.account_name, account_id=caller.account_id)

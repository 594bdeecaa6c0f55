"""Choose a throttle by the address of its store."""

from gen_video.db.database import Database
from gen_video.errors import ServiceError
from gen_video.throttles.database import DatabaseThrottle, Offload
from gen_video.throttles.guarded import GuardedThrottle
from gen_video.throttles.memory import MemoryThrottle
from gen_video.throttles.throttle import Throttle

REDIS_SCHEMES = ("redis://", "rediss://")


class UnknownThrottleError(ServiceError):
    """The setting names no store of rates."""

    code = "unknown_rate_limit_url"
    message_en = "GEN_VIDEO_RATE_LIMIT_URL must be empty, memory, database or redis://…"
    message_zh = "GEN_VIDEO_RATE_LIMIT_URL 须为空、memory、database 或 redis://…"


def build_throttle(
    url: str, *, web_processes: int, database: Database, offload: Offload
) -> Throttle:
    """Return the throttle of a web process.

    Args:
        url: `memory`, `database` or `redis://…`; empty for memory if this is the only web process
            (one, on a database that no other machine can share), else the database.
        web_processes: Web processes on this machine.
        database: The service's database.
        offload: Runs a transaction on a thread.

    Raises:
        UnknownThrottleError: The address is none of these.
    """
    is_alone = web_processes == 1 and database.is_sqlite
    match url or ("memory" if is_alone else "database"):
        case "memory":
            return MemoryThrottle()
        case "database":
            return GuardedThrottle(DatabaseThrottle(database, offload=offload))
        case address if address.startswith(REDIS_SCHEMES):
            # Loads two libraries that most installations do not need.
            from gen_video.throttles.redis import RedisThrottle  # noqa: PLC0415

            try:
                return GuardedThrottle(RedisThrottle(address))
            except ValueError:  # its words may hold the password
                raise UnknownThrottleError from None
        case _:
            raise UnknownThrottleError

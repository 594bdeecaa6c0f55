"""Lanes: whose turn it is when several receivers wait. Pure.

A lane is one receiver of one account. However slow or dead a receiver is, it holds few senders:
two of its own, half of them together with others that were slow of late, and half together with
the other lanes of its account. Of the slow half one account holds half at most, so that another
one's slow receiver is not kept waiting by dead ones.
"""

from collections import Counter
from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass

IN_FLIGHT_PER_LANE = 2


@dataclass(frozen=True, slots=True, kw_only=True)
class DueLane:
    """A lane with a delivery whose time has come."""

    name: str

    @property
    def account_id(self) -> str:
        """Return whose lane it is."""
        return account_of(self.name)


def lane_of(account_id: str, receiver: str) -> str:
    """Return the lane of an account's deliveries to an endpoint or a host."""
    return f"{account_id}/{receiver}"


def account_of(lane: str) -> str:
    """Return the account that a lane belongs to."""
    return lane.partition("/")[0]


def share_out(
    lanes: Sequence[DueLane],
    *,
    busy: Mapping[str, int],
    slow: Collection[str],
    served_at: Mapping[str, float],
    senders: int,
) -> dict[str, int]:
    """Return how many deliveries of each lane are to be sent next.

    Args:
        lanes: Those with something due, the one that waits longest first.
        busy: How many deliveries of each lane are being sent.
        slow: Lanes whose receivers took long of late.
        served_at: When each lane was last given a sender; the longest ago goes first.
        senders: How many there are, the busy ones among them.
    """
    half = (senders + 1) // 2
    slow_share = max(1, half // 2)
    in_flight = Counter(busy)
    of_account: Counter[str] = Counter()
    for name, count in busy.items():
        of_account[account_of(name)] += count
    chosen: Counter[str] = Counter()
    turns = sorted(lanes, key=lambda lane: served_at.get(lane.name, 0.0))
    for _round in range(IN_FLIGHT_PER_LANE):
        for lane in turns:
            of_slow = sum(in_flight[name] for name in slow)
            own_slow = sum(in_flight[name] for name in slow if account_of(name) == lane.account_id)
            may_go = (
                in_flight.total() < senders
                and in_flight[lane.name] < IN_FLIGHT_PER_LANE
                and of_account[lane.account_id] < half
                and (lane.name not in slow or (of_slow < half and own_slow < slow_share))
            )
            if may_go:
                chosen[lane.name] += 1
                in_flight[lane.name] += 1
                of_account[lane.account_id] += 1
    return dict(chosen)

"""Whose turn it is: a slow or dead receiver holds few senders."""

import pytest

from gen_video.webhooks.lanes import DueLane, lane_of, share_out

ADA, BOB = "acc_ada", "acc_bob"


def lane(account: str, receiver: str) -> str:
    return lane_of(account, receiver)


def due(*names: str) -> list[DueLane]:
    return [DueLane(name=name) for name in names]


HERE, THERE, ELSEWHERE = lane(ADA, "here"), lane(BOB, "there"), lane("acc_eve", "elsewhere")
OF_ADA = [lane(ADA, f"hook{number}") for number in range(20)]
OF_MANY = [lane(f"acc_{number}", "hook") for number in range(20)]


@pytest.mark.parametrize(
    ("lanes", "busy", "slow", "senders", "expected"),
    [
        ([HERE], {}, set(), 8, {HERE: 2}),
        ([HERE], {HERE: 1}, set(), 8, {HERE: 1}),
        ([HERE], {HERE: 2}, set(), 8, {}),
        ([HERE, THERE], {}, set(), 2, {HERE: 1, THERE: 1}),
        ([HERE, THERE], {}, set(), 3, {HERE: 2, THERE: 1}),
        ([HERE], {}, set(), 1, {HERE: 1}),
        ([HERE, THERE], {ELSEWHERE: 2}, set(), 2, {}),
        (OF_ADA, {}, set(), 8, dict.fromkeys(OF_ADA[:4], 1)),
        ([*OF_ADA, THERE], {}, set(), 8, dict.fromkeys(OF_ADA[:4], 1) | {THERE: 2}),
        (OF_MANY, {}, set(OF_MANY), 8, dict.fromkeys(OF_MANY[:4], 1)),
        ([*OF_MANY, THERE], {}, set(OF_MANY), 8, dict.fromkeys(OF_MANY[:4], 1) | {THERE: 2}),
        ([THERE], dict.fromkeys(OF_MANY[:4], 1), set(OF_MANY), 8, {THERE: 2}),
        (OF_ADA, {}, set(OF_ADA), 8, dict.fromkeys(OF_ADA[:2], 1)),
        ([*OF_ADA, THERE], {}, {*OF_ADA, THERE}, 8, dict.fromkeys(OF_ADA[:2], 1) | {THERE: 2}),
        ([THERE], dict.fromkeys(OF_ADA[:2], 1), {*OF_ADA, THERE}, 8, {THERE: 2}),
    ],
)
def test_senders_are_shared_out(
    lanes: list[str], busy: dict[str, int], slow: set[str], senders: int, expected: dict[str, int]
) -> None:
    found = share_out(due(*lanes), busy=busy, slow=slow, served_at={}, senders=senders)

    assert found == expected


def test_who_was_served_longest_ago_goes_first() -> None:
    served_at = {HERE: 30.0, THERE: 20.0, ELSEWHERE: 10.0}

    found = share_out(
        due(HERE, THERE, ELSEWHERE), busy={}, slow=set(), served_at=served_at, senders=2
    )

    assert found == {ELSEWHERE: 1, THERE: 1}

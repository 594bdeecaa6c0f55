"""Ledger arithmetic: what a promise and its end write, and that nothing appears from nowhere."""

from collections import Counter

import pytest
from hypothesis import given
from hypothesis import strategies as st

from gen_video.billing.ledger import Entry, Position, reserve_entries, settle_entries

POSITION = Position(account_id="acc_ada", kind="image", window_date="2026-03-10")


def amounts(entries: tuple[Entry, ...]) -> dict[str, int]:
    return {entry.ledger_account.rpartition(":")[2]: entry.amount for entry in entries}


def test_a_promise_moves_units_from_available_to_held() -> None:
    entries = reserve_entries(POSITION, units=4)

    assert amounts(entries) == {"available": -4, "held": 4}
    assert {entry.asset for entry in entries} == {"image"}


@pytest.mark.parametrize(
    ("captured", "expected"),
    [
        pytest.param(4, {"held": -4, "used": 4}, id="all delivered"),
        pytest.param(1, {"available": 3, "held": -4, "used": 1}, id="a part delivered"),
        pytest.param(0, {"available": 4, "held": -4}, id="released"),
    ],
)
def test_an_end_moves_held_units_to_used_or_back(captured: int, expected: dict[str, int]) -> None:
    assert amounts(settle_entries(POSITION, units=4, captured=captured)) == expected


@pytest.mark.parametrize("captured", [-1, 5])
def test_no_more_is_captured_than_was_held_and_no_less_than_nothing(captured: int) -> None:
    with pytest.raises(ValueError, match=f"cannot capture {captured} of 4"):
        settle_entries(POSITION, units=4, captured=captured)


@pytest.mark.parametrize("units", [0, -1])
def test_a_promise_of_nothing_is_not_written_down(units: int) -> None:
    with pytest.raises(ValueError, match="at least one unit"):
        reserve_entries(POSITION, units=units)


@given(data=st.data(), units=st.integers(1, 10**9))
def test_every_transaction_sums_to_zero_and_a_whole_life_leaves_only_what_was_used(
    data: st.DataObject, units: int
) -> None:
    captured = data.draw(st.integers(0, units))

    reserve = reserve_entries(POSITION, units=units)
    settle = settle_entries(POSITION, units=units, captured=captured)

    assert sum(entry.amount for entry in reserve) == 0
    assert sum(entry.amount for entry in settle) == 0
    assert all(entry.amount != 0 for entry in reserve + settle)
    life = Counter(amounts(reserve))
    life.update(amounts(settle))
    assert dict(life) == {"available": -captured, "held": 0} | (
        {"used": captured} if captured else {}
    )


def test_accounts_kinds_and_days_have_ledger_accounts_of_their_own() -> None:
    positions = [
        POSITION,
        Position(account_id="acc_bob", kind="image", window_date="2026-03-10"),
        Position(account_id="acc_ada", kind="video", window_date="2026-03-10"),
        Position(account_id="acc_ada", kind="image", window_date="2026-03-11"),
    ]

    names = {
        position.ledger_account(part)
        for position in positions
        for part in ("available", "held", "used")
    }

    assert len(names) == 12
    assert "quota:acc_ada:image:2026-03-10:held" in names

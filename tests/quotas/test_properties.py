"""Any sequence of reserve, capture, release, plan changes and days agrees with a plain model."""

from collections.abc import Iterator
from dataclasses import dataclass, field, replace
from datetime import timedelta
from itertools import count
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from gen_video.accounts.models import Caller
from gen_video.quotas.models import Hold, KindQuota
from tests.db.clocked import START, migrated_database
from tests.quotas.conftest import Desk, open_desk

KEY_LIMIT = 6
NAMES = count()


@dataclass(frozen=True, slots=True)
class Reserve:
    units: int
    is_key_limited: bool


@dataclass(frozen=True, slots=True)
class Settle:
    """End one of the open holds; the fraction says how much of it was delivered."""

    choice: int
    fraction: float


@dataclass(frozen=True, slots=True)
class ChangePlan:
    images_per_day: int


@dataclass(frozen=True, slots=True)
class PassTime:
    hours: int


Step = Reserve | Settle | ChangePlan | PassTime

STEPS = st.lists(
    st.builds(Reserve, st.integers(1, 8), st.booleans())
    | st.builds(Settle, st.integers(0, 20), st.sampled_from([0.0, 0.5, 1.0]))
    | st.builds(ChangePlan, st.sampled_from([0, 5, 10, 20]))
    | st.builds(PassTime, st.sampled_from([-6, 6, 18])),
    min_size=5,
    max_size=30,
)


@dataclass
class Model:
    """What quota means, in the fewest words: three numbers per owner and day."""

    limit_today: int
    day: str = ""
    windows: dict[tuple[str, str], KindQuota] = field(default_factory=dict)

    def window(self, owner: str, day: str, limit: int) -> KindQuota:
        known = self.windows.get((owner, day), KindQuota(limit=limit, used=0, reserved=0))
        return replace(known, limit=max(known.limit, limit))

    def fits(self, limits: dict[str, int], units: int) -> bool:
        return all(
            self.window(owner, self.day, limit).remaining >= units
            for owner, limit in limits.items()
        )

    def move(self, owner: str, day: str, limit: int, *, reserved: int, used: int) -> None:
        window = self.window(owner, day, limit)
        self.windows[owner, day] = replace(
            window, reserved=window.reserved + reserved, used=window.used + used
        )


class Play:
    """Applies every step to the service and to the model."""

    def __init__(self, desk: Desk) -> None:
        name = f"user{next(NAMES)}"
        self.desk = desk
        desk.database.moment = START
        self.plain = desk.new_caller(name)
        self.limited = desk.new_caller(name, images_per_day=KEY_LIMIT)
        self.model = Model(limit_today=self.plain.plan.images_per_day)
        self.open: list[Hold] = []

    def step(self, step: Step) -> None:
        match step:
            case Reserve():
                self._reserve(step)
            case Settle():
                self._settle(step)
            case ChangePlan():
                self.model.limit_today = step.images_per_day
            case PassTime():
                self.desk.database.advance(timedelta(hours=step.hours))

    def _caller(self, *, is_key_limited: bool) -> Caller:
        caller = self.limited if is_key_limited else self.plain
        return replace(caller, plan=replace(caller.plan, images_per_day=self.model.limit_today))

    def _reserve(self, step: Reserve) -> None:
        caller = self._caller(is_key_limited=step.is_key_limited)
        today = (self.desk.database.moment + timedelta(hours=8)).date().isoformat()
        day = max(self.model.day, today)
        limits = {caller.account_id: self.model.limit_today}
        if step.is_key_limited:
            limits[caller.key_id] = KEY_LIMIT

        hold = self.desk.try_reserve(caller, step.units)

        is_expected = replace(self.model, day=day).fits(limits, step.units)
        assert (hold is not None) == is_expected
        if hold is None:
            return
        assert hold.window_date == day
        self.model.day = day
        for owner, limit in limits.items():
            self.model.move(owner, day, limit, reserved=step.units, used=0)
        self.open.append(hold)

    def _settle(self, step: Settle) -> None:
        if not self.open:
            return
        hold = self.open.pop(step.choice % len(self.open))
        captured = int(hold.units * step.fraction)

        self.desk.settle(hold, captured=captured)

        owners = [hold.account_id, *([hold.key_id] if hold.is_key_limited else [])]
        for owner in owners:
            day = hold.window_date
            self.model.move(owner, day, 0, reserved=-hold.units, used=captured)

    def windows(self) -> dict[tuple[str, str], KindQuota]:
        mine = {self.plain.account_id, self.limited.key_id}
        found = self.desk.database.read(self.desk.quotas.list_windows)
        return {(owner, day): quota for (owner, _, day), quota in found.items() if owner in mine}


@pytest.fixture(scope="module")
def desk(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Desk]:
    """Return one database for all sequences; each has a user of its own."""
    file: Path = tmp_path_factory.mktemp("properties") / "test.sqlite3"
    with migrated_database(f"sqlite:///{file}") as database:
        desk = open_desk(database)
        desk.accounts.seed()
        yield desk


@settings(max_examples=100, deadline=None)
@given(steps=STEPS)
def test_every_grant_and_every_balance_agrees_with_the_model(desk: Desk, steps: list[Step]) -> None:
    play = Play(desk)

    for step in steps:
        play.step(step)

        windows = play.windows()
        assert windows == play.model.windows
        for window in windows.values():
            assert min(window.used, window.reserved, window.remaining) >= 0
            assert window.limit == window.used + window.reserved + window.remaining

"""The call log: written once a second off the requests' path, paged, forgotten after a week."""

from collections.abc import Iterator
from datetime import timedelta

import pytest
from sqlalchemy import event

from gen_video.calls import service
from gen_video.calls.models import Call, CallNotFoundError
from gen_video.calls.service import CallLog
from tests.db.clocked import START, ClockedDatabase
from tests.generation.conftest import OpenDatabase


@pytest.fixture
def database(open_database: OpenDatabase) -> ClockedDatabase:
    return open_database()


@pytest.fixture
def calls(database: ClockedDatabase, monkeypatch: pytest.MonkeyPatch) -> Iterator[CallLog]:
    """Return a log that writes when told to, and at its end."""
    monkeypatch.setattr(service, "FLUSH_SECONDS", 3600.0)
    calls = CallLog(database)
    yield calls
    calls.close()


def call(number: int = 0, *, account_id: str = "acc_1", status: int = 200) -> Call:
    """Return a call, a second later than the one before."""
    return Call(
        at=START + timedelta(seconds=number),
        request_id=f"req_{number}",
        account_id=account_id,
        key_id="key_1",
        method="GET",
        path="/api/v1/jobs",
        status=status,
        duration_ms=3,
    )


def listed(calls: CallLog, *, limit: int = 100, only_errors: bool = False) -> list[str]:
    """Return the request ids of an account, newest first, read page by page."""
    found: list[str] = []
    after = None
    while True:
        page = calls.list_calls("acc_1", limit=limit, after=after, only_errors=only_errors)
        found += [logged.call.request_id for logged in page.calls]
        if not page.has_more:
            return found
        after = page.calls[-1].id


def test_a_call_is_kept_as_it_was(calls: CallLog) -> None:
    calls.note(call(7, status=404))
    calls.flush()

    assert [logged.call for logged in calls.list_calls("acc_1").calls] == [call(7, status=404)]


def test_noting_a_call_asks_the_database_nothing(calls: CallLog, database: ClockedDatabase) -> None:
    asked: list[object] = []
    event.listen(database.engine, "before_cursor_execute", lambda *a: asked.append(a))

    calls.note(call())

    assert asked == []


def test_what_is_noted_is_written_within_two_seconds(
    database: ClockedDatabase, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(service, "FLUSH_SECONDS", 0.02)
    calls = CallLog(database)
    calls.note(call())

    for _ in range(200):
        if listed(calls):
            break
        calls._is_over.wait(0.01)

    assert listed(calls) == ["req_0"]
    calls.close()


def test_a_process_that_ends_writes_the_rest(
    database: ClockedDatabase, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(service, "FLUSH_SECONDS", 3600.0)
    calls = CallLog(database)
    calls.note(call())

    calls.close()

    assert listed(CallLog(database)) == ["req_0"]


def test_a_flood_is_cut_off_instead_of_growing(
    calls: CallLog, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(service, "MAX_KEPT", 5)
    for number in range(9):
        calls.note(call(number))
    calls.flush()

    assert len(listed(calls)) == 5


def test_nobody_sees_the_calls_of_another(calls: CallLog) -> None:
    calls.note(call(1))
    calls.note(call(2, account_id="acc_2"))
    calls.flush()
    (foreign,) = calls.list_calls("acc_2").calls

    assert listed(calls) == ["req_1"]
    with pytest.raises(CallNotFoundError):
        calls.list_calls("acc_1", after=foreign.id)


@pytest.mark.parametrize("limit", [1, 3, 100])
def test_pages_follow_one_another_without_gap_or_repetition(calls: CallLog, limit: int) -> None:
    for number in (0, 0, 1, 1, 1, 2):
        calls.note(call(number))
    calls.flush()

    assert listed(calls, limit=limit) == ["req_2", *["req_1"] * 3, *["req_0"] * 2]


def test_errors_can_be_looked_at_alone(calls: CallLog) -> None:
    for number, status in enumerate((200, 404, 202, 500)):
        calls.note(call(number, status=status))
    calls.flush()

    assert listed(calls, limit=1, only_errors=True) == ["req_3", "req_1"]


def test_our_own_errors_are_what_counts_against_us(
    calls: CallLog, database: ClockedDatabase
) -> None:
    for number, status in enumerate((200, 404, 429, 500)):
        calls.note(call(number, status=status))
    calls.flush()
    database.advance(timedelta(seconds=10))

    answers = calls.count_answers(within=timedelta(days=1))

    assert (answers.calls, answers.server_errors, answers.success_rate) == (4, 1, 0.75)


def test_a_week_later_a_call_is_forgotten(calls: CallLog, database: ClockedDatabase) -> None:
    calls.note(call(0))
    calls.note(call(3600))
    calls.flush()
    database.advance(timedelta(days=7, seconds=1))

    assert calls.purge() == 1

    assert listed(calls) == ["req_3600"]


@pytest.mark.parametrize("cursor", [0, -1, 2**63, 10**30, 424242])
def test_an_unknown_cursor_is_refused(calls: CallLog, cursor: int) -> None:
    with pytest.raises(CallNotFoundError):
        calls.list_calls("acc_1", after=cursor)

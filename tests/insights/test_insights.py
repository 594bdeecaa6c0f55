"""Figures over jobs: what counts, on which day, through which index."""

from collections.abc import Callable
from datetime import date, timedelta
from zoneinfo import ZoneInfo

import pytest
from sqlalchemy import Connection, insert, text

from gen_video.accounts.models import Caller
from gen_video.generation.fair_store import Place
from gen_video.generation.tables import jobs
from gen_video.insights import service, store
from gen_video.insights.models import Goals, ModelFigures, SpanFigures, UsageRow, Verdict
from gen_video.insights.service import InsightsService
from tests.db.clocked import START
from tests.generation.studio import LAKE, QUEUES, Studio
from tests.generation.test_query_plans import Crowd

SHANGHAI = ZoneInfo("Asia/Shanghai")
TODAY = date(2026, 3, 10)


@pytest.fixture
def insights(studio: Studio, monkeypatch: pytest.MonkeyPatch) -> InsightsService:
    """Return the service without its memory of a few seconds."""
    monkeypatch.setattr(service, "FRESH_SECONDS", 0.0)
    monkeypatch.setattr(service, "DUTY_CYCLE", 0.0)
    return InsightsService(studio.database, timezone=SHANGHAI)


def add_ended(studio: Studio, caller: Caller, *rows: dict[str, object]) -> None:
    """Add jobs that have ended: each began at START unless it says otherwise."""
    pattern = dict(studio.row(studio.finished_job(caller).id)._mapping)

    def work(connection: Connection) -> None:
        connection.execute(text("UPDATE jobs SET finished_at = 0, created_at = 0"))
        for number, row in enumerate(rows):
            began = row.get("started_at", START)
            values = pattern | {"started_at": began, "created_at": began} | row
            connection.execute(insert(jobs).values(values | {"id": f"job_{number:022d}"}))

    studio.database.write(work)


def ended(seconds: float = 10, state: str = "succeeded", **more: object) -> dict[str, object]:
    """Return what sets a job apart that took some seconds."""
    is_success = state == "succeeded"
    return {
        "state": state,
        "finished_at": START + timedelta(seconds=seconds),
        "units_delivered": int(is_success),
    } | more


def test_an_empty_service_has_no_figures_and_no_verdict(insights: InsightsService) -> None:
    overview = insights.read_overview(days=3)

    assert overview.last_day == SpanFigures()
    assert [day.day for day in overview.days] == [TODAY - timedelta(days=n) for n in (2, 1, 0)]
    goals = Goals()
    judges = (goals.judge_success, goals.judge_mean, goals.judge_p95)
    assert {judge(overview.last_day) for judge in judges} == {Verdict.UNKNOWN}


def test_figures_count_what_ended(
    studio: Studio, insights: InsightsService, caller: Caller
) -> None:
    bob = studio.new_caller("bob")
    add_ended(
        studio,
        caller,
        *[ended(seconds) for seconds in range(1, 20)],
        ended(200, kind="video", account_id=bob.account_id),
        ended(5, "failed"),
        ended(5, "expired"),
        ended(5, "canceled"),
    )
    studio.database.advance(timedelta(hours=1))

    figures = insights.read_overview(days=1).last_day

    assert figures == SpanFigures(
        succeeded=20,
        failed=2,
        canceled=1,
        images=19,
        videos=1,
        mean_seconds=(sum(range(1, 20)) + 200) / 20,
        p95_seconds=19.0,
        active_accounts=2,
    )
    assert figures.success_rate == 20 / 22


def test_a_day_ends_at_midnight_of_the_business_time_zone(
    studio: Studio, insights: InsightsService, caller: Caller
) -> None:
    """START is 20:00 in Shanghai."""
    add_ended(studio, caller, ended(4 * 3600 - 1), ended(4 * 3600))
    studio.database.advance(timedelta(hours=5))

    days = insights.read_overview(days=3).days

    assert [(day.day, day.figures.succeeded) for day in days] == [
        (date(2026, 3, 9), 0),
        (date(2026, 3, 10), 1),
        (date(2026, 3, 11), 1),
    ]


def test_a_day_that_is_over_is_read_once(
    studio: Studio,
    insights: InsightsService,
    caller: Caller,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    add_ended(studio, caller, ended())
    studio.database.advance(timedelta(days=2))
    before = insights.read_overview(days=4)
    spans: list[timedelta] = []
    read_span = store.read_span

    def spy(connection: Connection, **span: object) -> SpanFigures:
        spans.append(span["end"] - span["start"])  # type: ignore[operator] # both are moments
        return read_span(connection, **span)  # type: ignore[arg-type] # as they came

    monkeypatch.setattr(store, "read_span", spy)

    assert insights.read_overview(days=4) == before

    assert len(spans) == 2, "the last 24 hours and today"


def test_models_are_told_apart(studio: Studio, insights: InsightsService, caller: Caller) -> None:
    add_ended(
        studio,
        caller,
        ended(2, model="paint"),
        ended(4, model="paint"),
        ended(1, "failed", model="sketch"),
    )
    studio.database.advance(timedelta(hours=1))

    assert insights.read_overview(days=1).models == (
        ModelFigures(model="paint", kind="image", succeeded=2, failed=0, mean_seconds=3.0),
        ModelFigures(model="sketch", kind="image", succeeded=0, failed=1, mean_seconds=None),
    )


def test_usage_is_by_day_model_and_key_and_of_one_account(
    studio: Studio, insights: InsightsService, caller: Caller
) -> None:
    studio.finished_job(studio.new_caller("bob"), LAKE)
    studio.finished_job(caller)
    studio.submit(caller)

    (row,) = insights.list_usage(caller)

    assert row == UsageRow(
        day=TODAY,
        kind="image",
        model="sketch",
        key_id=caller.key_id,
        jobs=2,
        succeeded=1,
        units=1,
    )


def test_usage_ends_with_the_days_that_were_asked_for(
    studio: Studio, insights: InsightsService, caller: Caller
) -> None:
    studio.finished_job(caller)
    studio.database.advance(timedelta(days=2))

    assert insights.list_usage(caller, days=2) == ()
    assert len(insights.list_usage(caller, days=3)) == 1


GOAL_CASES = [
    (Goals.judge_success, SpanFigures(succeeded=91, failed=9), Verdict.GOOD),
    (Goals.judge_success, SpanFigures(succeeded=90, failed=10), Verdict.BAD),
    (Goals.judge_success, SpanFigures(canceled=10), Verdict.UNKNOWN),
    (Goals.judge_mean, SpanFigures(mean_seconds=59.9), Verdict.GOOD),
    (Goals.judge_mean, SpanFigures(mean_seconds=60.0), Verdict.BAD),
    (Goals.judge_p95, SpanFigures(p95_seconds=59.9), Verdict.GOOD),
    (Goals.judge_p95, SpanFigures(p95_seconds=60.0), Verdict.BAD),
    (Goals.judge_accounts, SpanFigures(active_accounts=5), Verdict.GOOD),
    (Goals.judge_accounts, SpanFigures(active_accounts=4), Verdict.BAD),
]


@pytest.mark.parametrize(("judge", "figures", "verdict"), GOAL_CASES)
def test_a_figure_is_measured_against_its_target(
    judge: Callable[[Goals, SpanFigures], Verdict], figures: SpanFigures, verdict: Verdict
) -> None:
    assert judge(Goals(), figures) is verdict


def test_every_question_is_answered_by_an_index(studio: Studio, caller: Caller) -> None:
    """Six thousand jobs over sixty days; each question is about one day or one account."""
    pattern = dict(studio.row(studio.finished_job(caller).id)._mapping)
    other_ids = [studio.accounts.create_account(f"u{n}", plan_id="free").id for n in range(20)]

    def fill(connection: Connection) -> None:
        rows = []
        for number in range(6_000):
            moment = START + timedelta(minutes=14 * number)
            times = {"created_at": moment, "started_at": moment, "finished_at": moment}
            ids = {"id": f"job_{number:022d}", "account_id": other_ids[number % 20]}
            rows.append(pattern | times | ids)
        connection.execute(insert(jobs), rows)
        if connection.dialect.name == "postgresql":
            connection.execute(text("ANALYZE"))

    studio.database.write(fill)
    crowd = Crowd(studio, Place(account_id=other_ids[3], queue=QUEUES[0], rank=0))
    start = START + timedelta(days=30)
    end = start + timedelta(days=1)

    plans = {
        "ix_jobs_finished": [
            crowd.explain(lambda c: store.read_span(c, start=start, end=end)),
            crowd.explain(lambda c: store.list_models(c, start=start, end=end)),
        ],
        "ix_jobs_account": [
            crowd.explain(lambda c: store.list_usage(c, account_id=other_ids[3], since=end))
        ],
    }

    for index, texts in plans.items():
        for plan in texts:
            assert index in plan
            assert "SCAN jobs" not in plan.splitlines()

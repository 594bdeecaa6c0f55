"""Fair shares as arithmetic: tags, what they are moved by, who is chosen, which queue is next."""

from datetime import timedelta

import pytest

from gen_video.generation.shares import (
    MAX_CORRECTION,
    MICROSECONDS,
    Candidate,
    Choice,
    Rank,
    Share,
    Tags,
    choose,
    difference,
    next_tags,
    order_queues,
    predict_microseconds,
    seconds_until_start,
)
from tests.db.clocked import START

SECOND = timedelta(seconds=1)
PATIENCE = timedelta(seconds=30)
NEVER = timedelta(0)


@pytest.mark.parametrize(
    ("virtual_time", "last_finish", "weight", "tags"),
    [
        (0, 0, 1, Tags(start=0, finish=1000)),
        (500, 0, 1, Tags(start=500, finish=1500)),
        (500, 9000, 1, Tags(start=9000, finish=10_000)),
        (500, 500, 1, Tags(start=500, finish=1500)),
        (500, 9000, 4, Tags(start=9000, finish=9250)),
        (0, 0, 3, Tags(start=0, finish=334)),
        (0, 0, 5000, Tags(start=0, finish=1)),
        (0, 0, 0, Tags(start=0, finish=1000)),
    ],
    ids=[
        "the first job of all",
        "a newcomer begins where the queue is",
        "who has had much begins later",
        "who has just caught up",
        "a weight makes jobs cheaper",
        "costs are rounded up",
        "no job is free",
        "a weight of nothing counts as one",
    ],
)
def test_a_job_starts_at_the_later_of_the_queue_and_its_account(
    virtual_time: int, last_finish: int, weight: int, tags: Tags
) -> None:
    found = next_tags(
        virtual_time=virtual_time,
        last_finish=last_finish,
        last_start=None,
        predicted_us=1000,
        weight=weight,
    )

    assert found == tags


@pytest.mark.parametrize(
    ("last_start", "start"), [(None, 500), (100, 500), (499, 500), (500, 501), (900, 901)]
)
def test_no_job_starts_before_its_accounts_earlier_ones(last_start: int | None, start: int) -> None:
    """What jobs took less than was predicted lowers the price of the next, not their place."""
    found = next_tags(
        virtual_time=500, last_finish=200, last_start=last_start, predicted_us=1000, weight=1
    )

    assert found == Tags(start=start, finish=1500)


@pytest.mark.parametrize(
    ("used", "weight", "change"),
    [
        (10 * SECOND, 1, 0),
        (25 * SECOND, 1, 15 * MICROSECONDS),
        (4 * SECOND, 1, -6 * MICROSECONDS),
        (25 * SECOND, 5, 3 * MICROSECONDS),
        (timedelta(0), 1, -10 * MICROSECONDS),
        (timedelta(0), 4, -10 * MICROSECONDS // 4),
        (1000 * SECOND, 1, (MAX_CORRECTION - 1) * 10 * MICROSECONDS),
    ],
    ids=["as foreseen", "longer", "shorter", "weighted", "never ran", "never ran, paid", "stuck"],
)
def test_what_a_prediction_was_wrong_by_moves_the_accounts_clock(
    used: timedelta, weight: int, change: int
) -> None:
    assert difference(predicted_us=10 * MICROSECONDS, used=used, weight=weight) == change


def test_giving_a_whole_job_back_undoes_its_tag_exactly() -> None:
    for predicted_us, weight in [(1, 3), (1000, 7), (999_999, 16), (10, 1)]:
        tags = next_tags(
            virtual_time=0,
            last_finish=50,
            last_start=None,
            predicted_us=predicted_us,
            weight=weight,
        )

        change = difference(predicted_us=predicted_us, used=timedelta(0), weight=weight)

        assert tags.finish + change == 50


@pytest.mark.parametrize(
    ("work", "speed", "seconds"),
    [
        (40_000_000, 100_000.0, 4.0),
        (1, 100_000.0, 0.05),
        (0, 100_000.0, 0.05),
        (10**15, 100_000.0, 86_400.0),
        (40_000_000, 0.0, 0.05),
    ],
    ids=["a picture", "a speck", "nothing", "a year", "an infinitely fast model"],
)
def test_predictions_follow_the_work_within_bounds(work: int, speed: float, seconds: float) -> None:
    predicted_us = predict_microseconds(work=work, microseconds_per_megawork=speed)

    assert predicted_us == round(seconds * MICROSECONDS)


@pytest.mark.parametrize(
    ("max_running", "competing", "has_room"),
    [(4, 0, True), (4, 3, True), (4, 4, False), (4, 9, False), (0, 10**6, True), (1, 0, True)],
)
def test_an_account_has_room_below_its_cap_and_without_one(
    max_running: int, competing: int, *, has_room: bool
) -> None:
    assert Share(max_running=max_running).has_room(competing) is has_room


def candidate(
    job_id: str,
    model: str = "cold",
    *,
    rank: int = Rank.INTERACTIVE,
    passed: timedelta | None = None,
    waited: timedelta = timedelta(0),
) -> Candidate:
    """Return a job of a model; `passed` says how long ago it was passed over first."""
    return Candidate(
        job_id=job_id,
        model=model,
        rank=rank,
        start_tag=0,
        created_at=START - waited,
        passed_at=None if passed is None else START - passed,
    )


@pytest.mark.parametrize(
    ("candidates", "patience", "choice"),
    [
        ([], PATIENCE, Choice(job_ids=())),
        (
            [candidate("a"), candidate("b")],
            PATIENCE,
            Choice(job_ids=("a", "b")),
        ),
        (
            [candidate("a"), candidate("b"), candidate("c", "warm")],
            PATIENCE,
            Choice(job_ids=("c", "a", "b"), passed_over="a"),
        ),
        (
            [candidate("a", "warm"), candidate("b", "warm")],
            PATIENCE,
            Choice(job_ids=("a", "b")),
        ),
        (
            [candidate("a"), candidate("b", "warm")],
            NEVER,
            Choice(job_ids=("a", "b")),
        ),
        (
            [candidate("a", passed=PATIENCE - SECOND), candidate("b", "warm")],
            PATIENCE,
            Choice(job_ids=("b", "a"), passed_over="a"),
        ),
        (
            [candidate("a", passed=PATIENCE), candidate("b", "warm")],
            PATIENCE,
            Choice(job_ids=("a", "b")),
        ),
        (
            [candidate("a"), candidate("b", "warm", rank=Rank.BATCH)],
            PATIENCE,
            Choice(job_ids=("a", "b")),
        ),
        (
            [candidate("a", rank=Rank.BATCH), candidate("b", "warm", rank=Rank.BATCH)],
            PATIENCE,
            Choice(job_ids=("b", "a"), passed_over="a"),
        ),
    ],
    ids=[
        "nothing waits",
        "nothing is loaded",
        "the first whose model is loaded goes first",
        "the head's model is loaded",
        "no patience",
        "the head has waited for a while",
        "the head has waited for long enough",
        "batch never passes a person",
        "batch passes batch",
    ],
)
def test_a_loaded_model_goes_first_while_the_head_has_patience(
    candidates: list[Candidate], patience: timedelta, choice: Choice
) -> None:
    assert choose(candidates, resident={"warm"}, now=START, patience=patience) == choice


def test_a_head_is_passed_over_for_no_longer_than_its_patience() -> None:
    """However many jobs of the loaded model keep coming."""
    passed_at, served_after = None, None

    for second in range(120):
        head = Candidate(
            job_id="head",
            model="cold",
            rank=0,
            start_tag=0,
            created_at=START,
            passed_at=passed_at,
        )
        now = START + second * SECOND
        choice = choose(
            [head, candidate("warm-one", "warm")], resident={"warm"}, now=now, patience=PATIENCE
        )
        if choice.job_ids[0] == "head":
            served_after = second
            break
        passed_at = passed_at or now

    assert served_after == PATIENCE.total_seconds()


@pytest.mark.parametrize(
    ("heads", "order"),
    [
        ([], []),
        ([("a", candidate("1")), ("b", candidate("2", waited=SECOND))], ["b", "a"]),
        (
            [("a", candidate("1", rank=Rank.BATCH, waited=60 * SECOND)), ("b", candidate("2"))],
            ["b", "a"],
        ),
        ([("b", candidate("1")), ("a", candidate("2"))], ["b", "a"]),
    ],
    ids=["none", "who waits longest", "people before batch", "ids at the same moment"],
)
def test_queues_are_served_by_their_heads(
    heads: list[tuple[str, Candidate]], order: list[str]
) -> None:
    assert order_queues(heads) == order


@pytest.mark.parametrize(
    ("ahead_us", "slots", "seconds"),
    [(0, 3, 0.0), (6 * MICROSECONDS, 1, 6.0), (6 * MICROSECONDS, 3, 2.0), (MICROSECONDS, 0, 1.0)],
)
def test_the_wait_is_the_work_ahead_over_the_slots(
    ahead_us: int, slots: int, seconds: float
) -> None:
    assert seconds_until_start(ahead_us=ahead_us, slots=slots) == seconds

"""Speeds: what workers measured predicts the device time of what comes."""

from dataclasses import replace
from datetime import timedelta

import pytest
from sqlalchemy import select

from gen_video.generation import speeds as speeds_module
from gen_video.generation.requests import resolve_image
from gen_video.generation.speeds import GUESS_US_PER_MEGAWORK, MEMORY, Speeds
from gen_video.generation.tables import model_speeds
from tests.db.clocked import START
from tests.generation.cinema import PLAN
from tests.generation.shop import LAKE_MEGAWORK, SECOND_US
from tests.generation.studio import CATALOGUE, LAKE, PAINT, SKETCH, Studio, profile

MODEL_INPUT = resolve_image(LAKE, catalogue=CATALOGUE, plan=PLAN, adapters=frozenset())
BIG = resolve_image(
    replace(LAKE, n=2, num_inference_steps=20),
    catalogue=CATALOGUE,
    plan=PLAN,
    adapters=frozenset(),
)


def note(studio: Studio, speeds: Speeds, *seconds: float, is_warm: bool = True) -> None:
    """Note that small pictures took so long, and write it down."""
    for each in seconds:
        speeds.note(MODEL_INPUT, SKETCH, seconds=each, is_warm=is_warm)
    studio.database.write(lambda connection: speeds.write(connection, now=START))


def known(studio: Studio) -> dict[str, tuple[float, int]]:
    """Return (seconds of a small picture, samples) of every model that was measured."""
    rows = studio.database.read(lambda connection: connection.execute(select(model_speeds)).all())
    return {
        row.model: (round(row.us_per_megawork * LAKE_MEGAWORK / SECOND_US, 6), row.samples)
        for row in rows
    }


def predict(studio: Studio, speeds: Speeds) -> float:
    """Return the seconds that a small picture is expected to take."""
    return (
        studio.database.read(lambda connection: speeds.predict(connection, MODEL_INPUT, SKETCH))
        / SECOND_US
    )


def test_before_anything_is_measured_there_is_a_guess(studio: Studio) -> None:
    predicted_us = studio.database.read(
        lambda connection: Speeds().predict(connection, replace(BIG, n=2000), SKETCH)
    )

    assert predicted_us == round(LAKE_MEGAWORK * 5 * 2000 * GUESS_US_PER_MEGAWORK)


def test_the_first_measurement_is_taken_as_it_is(studio: Studio) -> None:
    speeds = Speeds()

    note(studio, speeds, 3.0)

    assert known(studio) == {"sketch": (3.0, 1)}
    assert predict(studio, speeds) == pytest.approx(3.0)


def test_a_prediction_grows_with_the_work(studio: Studio) -> None:
    speeds = Speeds()
    note(studio, speeds, 3.0)

    predicted_us = studio.database.read(lambda connection: speeds.predict(connection, BIG, SKETCH))

    assert predicted_us == pytest.approx(10 * 3.0 * SECOND_US)


def test_later_measurements_move_the_figure_a_little(studio: Studio) -> None:
    speeds = Speeds()
    note(studio, speeds, 1.0)

    note(studio, speeds, 2.0)

    assert known(studio)["sketch"] == (1.2, 2)


def test_many_measurements_at_once_count_for_more_and_outliers_do_not(studio: Studio) -> None:
    speeds = Speeds()
    note(studio, speeds, 1.0)

    note(studio, speeds, 2.0, 2.0, 2.0, 2.0, 900.0)

    assert known(studio)["sketch"] == (round(MEMORY**5 * 1.0 + (1 - MEMORY**5) * 2.0, 6), 6)


def test_a_job_that_loaded_its_model_first_counts_only_where_nothing_is_known(
    studio: Studio,
) -> None:
    speeds = Speeds()
    note(studio, speeds, 60.0, is_warm=False)
    assert known(studio)["sketch"] == (60.0, 1)

    note(studio, speeds, 50.0, is_warm=False)

    assert known(studio)["sketch"] == (60.0, 1)


def test_processes_add_to_the_same_figures_and_hear_of_them(
    studio: Studio, monkeypatch: pytest.MonkeyPatch
) -> None:
    first, second = Speeds(), Speeds()
    assert predict(studio, second) == 0.05
    note(studio, first, 1.0)
    note(studio, second, 2.0)
    remembered = predict(studio, second)

    note(studio, first, 9.0)
    assert predict(studio, second) == remembered, "it asks now and then only"
    monkeypatch.setattr(speeds_module, "KEEP_SECONDS", -1.0)

    assert remembered == pytest.approx(1.2)
    assert predict(studio, second) == pytest.approx(0.8 * 1.2 + 0.2 * 9.0)


def test_nothing_noted_writes_nothing(studio: Studio) -> None:
    speeds = Speeds()

    note(studio, speeds)

    assert known(studio) == {}


def test_models_are_measured_apart(studio: Studio) -> None:
    speeds = Speeds()
    speeds.note(MODEL_INPUT, PAINT, seconds=7.0)

    note(studio, speeds, 1.0)

    assert known(studio) == {"sketch": (1.0, 1), "paint": (7.0, 1)}


def test_a_worker_measures_and_its_signs_of_life_carry_it(studio: Studio) -> None:
    caller = studio.new_caller()
    studio.submit(caller)
    claimed = studio.claim()
    studio.database.advance(timedelta(seconds=5))
    studio.finish(claimed)

    studio.execution.note_speed(claimed, seconds=5.0, is_warm=True)
    assert known(studio) == {}
    studio.execution.see_worker(profile(), host="host", pid=1, resident=[], state="running")

    assert known(studio) == {"sketch": (5.0, 1)}
    assert studio.submit(caller).progress.eta_seconds == 5.0

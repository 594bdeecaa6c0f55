"""The engine host with its real child: pictures, progress, cancels and ordinary failures."""

import os
from collections.abc import Iterator
from dataclasses import replace

import psutil
import pytest

from gen_video.engines.catalogue import TEST_DOUBLE, Catalogue, TaskKind
from gen_video.engines.errors import (
    EngineCancelledError,
    EngineFailedError,
    ModelUnavailableError,
)
from gen_video.engines.host import HostLimits
from gen_video.engines.makes import ChildConfig, Supervision
from gen_video.engines.tasks import Picture, StepProgress
from gen_video.engines.test_double import TestDouble
from tests.engines.conftest import DriverOf
from tests.engines.hosts import STEPS, Driver, double_spec, double_task, endless_task
from tests.engines.waiting import wait_until
from tests.house.project import PROJECT


def test_pictures_cross_the_border_unchanged(driver: Driver) -> None:
    task = replace(double_task("bytes=300"), n=3, reference_image=bytes(range(256)))
    silent = Supervision(report=lambda _progress: None, check=lambda: None)
    direct = list(TestDouble(ChildConfig()).run(double_spec(), task, silent))

    assert driver.run(task) == direct


def test_progress_starts_with_loading_and_counts_every_step(driver: Driver) -> None:
    driver.run(replace(double_task(), n=2))

    assert driver.progress[0].stage == "loading"
    assert driver.progress[1:] == [
        StepProgress(stage="denoising", step=step, steps=2 * STEPS)
        for step in range(1, 2 * STEPS + 1)
    ]


def test_one_child_serves_many_tasks(driver: Driver) -> None:
    assert driver.works()
    pid = driver.pid

    assert driver.works()

    assert driver.pid == pid


def test_a_loaded_model_is_resident(driver: Driver) -> None:
    assert driver.works()

    wait_until(lambda: driver.host.resident_models() == (TEST_DOUBLE,))


def test_an_unloaded_model_leaves_and_comes_back_when_it_is_asked_for(driver: Driver) -> None:
    assert driver.works()
    wait_until(lambda: driver.host.resident_models() == (TEST_DOUBLE,))

    driver.host.unload(TEST_DOUBLE)

    wait_until(lambda: driver.host.resident_models() == ())
    assert driver.works()


def test_a_model_that_cannot_be_warmed_says_why(driver: Driver) -> None:
    driver.host.warm("no-such-model")

    wait_until(lambda: driver.host.why_not_loaded("no-such-model") is not None)
    assert driver.host.why_not_loaded(TEST_DOUBLE) is None


def test_a_cancel_ends_a_task_within_a_step_and_spares_the_child(driver: Driver) -> None:
    assert driver.works()
    pid, driver.cancel_at = driver.pid, 1

    with pytest.raises(EngineCancelledError):
        driver.run(endless_task())

    assert driver.works()
    assert driver.pid == pid
    assert driver.restarts == []


def test_a_cancel_that_comes_before_its_task_ends_it_and_spares_the_child(driver: Driver) -> None:
    driver.host.cancel(endless_task().task_id)

    with pytest.raises(EngineCancelledError):
        driver.run(endless_task())

    assert driver.works()
    assert driver.restarts == []


def test_a_cancel_of_another_task_is_ignored(driver: Driver) -> None:
    driver.host.cancel("job_of_somebody_else")

    assert driver.works()


def test_an_ordinary_failure_spares_the_child(driver: Driver) -> None:
    assert driver.works()
    pid = driver.pid

    with pytest.raises(EngineFailedError, match="asked to fail 1 times") as caught:
        driver.run(double_task("fail=1"))

    assert not caught.value.is_crash
    assert len(driver.run(replace(double_task("fail=1"), attempt=2))) == 1
    assert driver.pid == pid
    assert driver.restarts == []


def test_pictures_before_a_failure_are_delivered(driver: Driver) -> None:
    with pytest.raises(EngineFailedError, match="only 2 pictures"):
        driver.run(replace(double_task("deliver=2"), n=3))

    assert [picture.index for picture in driver.pictures] == [0, 1]


def test_a_model_that_the_child_does_not_know_fails_and_spares_it(driver: Driver) -> None:
    with pytest.raises(EngineFailedError, match="sdxl"):
        driver.run(replace(double_task(), model="sdxl"))

    assert driver.works()
    assert driver.restarts == []


def test_a_listener_that_raises_ends_the_task_and_the_next_works(driver: Driver) -> None:
    def lose_lease(_progress: StepProgress) -> None:
        raise PermissionError

    with pytest.raises(PermissionError):
        list(driver.host.generate(endless_task(), on_progress=lose_lease))

    assert driver.works()


def test_closing_the_iterator_stops_the_work_and_spares_the_child(driver: Driver) -> None:
    pictures: Iterator[Picture] = driver.host.generate(
        replace(double_task("sleep=3600"), num_inference_steps=1, n=100_000),
        on_progress=lambda _progress: None,
    )
    next(pictures)
    pid = driver.pid

    pictures.close()  # type: ignore[attr-defined]  # the protocol promises an iterator, a generator comes

    assert driver.works()
    assert driver.pid == pid
    assert driver.restarts == []


def test_the_child_sees_no_setting_of_the_service(driver: Driver) -> None:
    assert driver.works()

    environment = psutil.Process(driver.pid).environ()

    assert [name for name in environment if name.startswith("GEN_VIDEO_")] == []
    assert environment["OMP_WAIT_POLICY"] == "PASSIVE"
    assert environment["HF_HUB_OFFLINE"] == "1"


def test_the_test_double_loads_no_torch(driver: Driver) -> None:
    assert driver.works()

    maps = {entry.path for entry in psutil.Process(driver.pid).memory_maps()}

    assert [path for path in maps if "libtorch" in path] == []


def test_a_model_is_warmed_in_the_background(driver_of: DriverOf) -> None:
    driver = driver_of(HostLimits())

    driver.host.warm(TEST_DOUBLE)

    wait_until(lambda: driver.host.resident_models() == (TEST_DOUBLE,))


def test_warming_a_model_that_is_not_on_offer_spares_the_child(driver_of: DriverOf) -> None:
    driver = driver_of(HostLimits())

    driver.host.warm("no-such-model")

    pid = driver.pid
    assert driver.works()
    assert driver.pid == pid


@pytest.mark.engine
def test_warming_a_model_without_weights_spares_the_child() -> None:
    gone = double_spec().model_copy(
        update={
            "id": "gone",
            "engine": "diffusers",
            "kinds": frozenset({TaskKind.TEXT_TO_IMAGE}),
            "source": str(PROJECT / "models" / "gone"),
        }
    )
    catalogue = Catalogue([double_spec(), gone], default_image_model=TEST_DOUBLE)
    driver = Driver(catalogue=catalogue)
    try:
        driver.host.warm("gone")
        pid = driver.pid

        with pytest.raises(ModelUnavailableError, match="no model in the folder gone"):
            driver.run(replace(double_task(), model="gone"))

        assert driver.works()
        assert driver.pid == pid
        assert driver.restarts == []
    finally:
        driver.host.close()


def test_a_host_may_be_closed_twice_and_takes_its_child_along(driver_of: DriverOf) -> None:
    driver = driver_of(HostLimits())
    assert driver.works()
    pid = driver.pid

    driver.host.close()
    driver.host.close()

    assert not psutil.pid_exists(pid)
    assert driver.host.resident_models() == ()
    assert os.getpid() != pid


def test_a_host_that_never_worked_may_be_closed(driver_of: DriverOf) -> None:
    driver = driver_of(HostLimits())

    driver.host.close()

    assert driver.host.resident_models() == ()

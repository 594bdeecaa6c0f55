"""Models stay in memory under a budget; the one least recently used leaves first."""

from dataclasses import replace

import pytest

from gen_video.engines.diffusers_make import DiffusersMake
from gen_video.engines.makes import ChildConfig, Supervision
from gen_video.engines.residency import Residency, Resident, device_memory_mib
from tests.engines.pipelines.conftest import FolderOf
from tests.engines.pipelines.studio import local_spec, plain_task

pytestmark = pytest.mark.engine


class Shelf:
    """A residency whose models are mere names, and what it loaded so far."""

    def __init__(self, budget_mib: int) -> None:
        self.residency = Residency(budget_mib=budget_mib, device="cpu")
        self.loaded: list[str] = []

    def get(self, name: str, *, need_mib: int = 40) -> Resident:
        """Ask for a model."""

        def load() -> Resident:
            self.loaded.append(name)
            return Resident(pipelines={"text-to-image": name}, need_mib=need_mib)

        return self.residency.get(name, load, need_mib=need_mib)


def test_a_model_is_loaded_once() -> None:
    shelf = Shelf(100)

    first, again = shelf.get("a"), shelf.get("a")

    assert first is again
    assert shelf.loaded == ["a"]


def test_the_least_recently_used_leaves_first() -> None:
    shelf = Shelf(100)

    for name in ("a", "b", "a", "c"):
        shelf.get(name)

    assert shelf.residency.names() == ("a", "c")
    assert shelf.loaded == ["a", "b", "c"]


def test_a_model_that_is_told_to_leave_is_loaded_anew() -> None:
    shelf = Shelf(100)
    shelf.get("a")
    shelf.get("b")

    for name in ("a", "a", "never"):
        shelf.residency.drop(name)

    assert shelf.residency.names() == ("b",)
    shelf.get("a")
    assert shelf.loaded == ["a", "b", "a"]


def test_as_many_leave_as_the_newcomer_needs() -> None:
    shelf = Shelf(100)

    for name in ("a", "b"):
        shelf.get(name)
    shelf.get("large", need_mib=90)

    assert shelf.residency.names() == ("large",)


def test_a_budget_may_be_used_to_its_last_mib() -> None:
    shelf = Shelf(80)

    for name in ("a", "b"):
        shelf.get(name)

    assert shelf.residency.names() == ("a", "b")


def test_a_model_larger_than_the_budget_is_loaded_alone() -> None:
    shelf = Shelf(100)
    shelf.get("a")

    shelf.get("huge", need_mib=1000)

    assert shelf.residency.names() == ("huge",)
    shelf.get("a")
    assert shelf.residency.names() == ("a",)


def test_whoever_leaves_lets_go_of_its_pipelines() -> None:
    shelf = Shelf(50)
    leaving = shelf.get("a")

    shelf.get("b")

    assert leaving.pipelines == {}


def test_a_model_that_fails_to_load_is_not_there() -> None:
    shelf = Shelf(100)
    shelf.get("a")

    def fail() -> Resident:
        raise MemoryError

    with pytest.raises(MemoryError):
        shelf.residency.get("b", fail, need_mib=10)

    assert shelf.residency.names() == ("a",)


def test_without_a_budget_most_of_the_machine_is_used() -> None:
    shelf = Shelf(0)
    total = device_memory_mib("cpu")

    shelf.get("a", need_mib=int(total * 0.5))
    shelf.get("b", need_mib=int(total * 0.3))
    shelf.get("c", need_mib=int(total * 0.1))

    assert shelf.residency.names() == ("b", "c")


def test_pipelines_come_and_go_under_the_budget_and_draw_the_same(folder_of: FolderOf) -> None:
    budget = ChildConfig(device="cpu", threads=1, memory_mib=100)
    make = DiffusersMake(budget)
    quiet = Supervision(report=lambda _progress: None, check=lambda: None)
    specs = [
        local_spec(model_id, folder_of(model_id)).model_copy(update={"memory_mib": 60})
        for model_id in ("sdxl", "flux-schnell")
    ]

    def draw(index: int) -> bytes:
        task = replace(plain_task(specs[index].id), seed=5)
        return next(make.run(specs[index], task, quiet)).rgb

    first = draw(0)
    assert make.resident_models() == ("sdxl",)
    draw(1)
    assert make.resident_models() == ("flux-schnell",)
    assert draw(0) == first

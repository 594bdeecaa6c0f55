"""The measure of idle event streams works; its figures are for `python -m benchmarks P13`."""

from pathlib import Path

import pytest

from benchmarks.streams import Scale, measure_idle_streams

pytestmark = pytest.mark.journey


def test_idle_streams_are_measured_and_cost_little(tmp_path: Path) -> None:
    scale = Scale(streams=40, jobs=4, idle_seconds=1.0)

    memory, cores, wake = measure_idle_streams(tmp_path, scale)

    assert memory.value < 300
    assert cores.value < 0.5
    assert 0 < wake.value < 5000

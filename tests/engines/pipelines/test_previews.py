"""Previews of unfinished pictures and clips, by every family."""

from dataclasses import replace

import pytest

from gen_video.engines.previews import LONGEST_SIDE
from tests.engines.pipelines.studio import Studio

pytestmark = pytest.mark.engine


def test_previews_come_with_the_steps_and_change_nothing(studio: Studio) -> None:
    task = replace(studio.task, num_inference_steps=5)
    plain = studio.draw_one(task)

    drawn = studio.draw_one(replace(task, previews=2))

    shown = [report for report in studio.progress if report.preview is not None]
    assert drawn == plain
    assert [report.step for report in shown] == [2, 3]
    for report in shown:
        assert report.preview is not None
        assert max(report.preview.width, report.preview.height) == LONGEST_SIDE
        assert len(report.preview.rgb) == report.preview.width * report.preview.height * 3
        assert len(set(report.preview.rgb)) > 1

"""The live progress of a remote job: a bar on a terminal, plain lines elsewhere.

On standard error, as results go to standard output. Colours only on a terminal and not with
NO_COLOR: the library sees to it.
"""

import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager

from gen_video.client import Progress

STAGES = {
    "queued": "Queued / 排队",
    "starting": "Starting / 启动",
    "loading": "Loading / 加载",
    "denoising": "Drawing / 绘制",
    "decoding": "Decoding / 解码",
    "succeeded": "Done / 完成",
    "failed": "Failed / 失败",
    "canceled": "Canceled / 已取消",
    "expired": "Expired / 已过期",
}
LINE_PERCENT = 10
Show = Callable[[Progress], None]


@contextmanager
def show_progress() -> Iterator[Show]:
    """Give the function that shows progress while the block runs."""
    if sys.stderr.isatty():
        with _bar() as show:
            yield show
    else:
        yield Lines().show


class Lines:
    """A line whenever the stage, the place or a tenth of the way is another one."""

    def __init__(self) -> None:
        self._last: tuple[str, int | None, int] | None = None

    def show(self, progress: Progress) -> None:
        """Write a line if it says something new."""
        mark = (
            progress.stage,
            progress.queue_position,
            int(progress.percent) // LINE_PERCENT,
        )
        if mark != self._last:
            self._last = mark
            sys.stderr.write(f"{describe(progress)}\n")
            sys.stderr.flush()


def describe(progress: Progress) -> str:
    """Return a line that says how far a job is."""
    parts = [headline(progress), f"{progress.percent:.0f} %"]
    if progress.steps:
        parts.append(f"{progress.step}/{progress.steps}")
    if progress.eta_seconds is not None:
        parts.append(f"~{progress.eta_seconds:.0f} s")
    return "  ".join(parts)


def headline(progress: Progress) -> str:
    """Return the stage, with the place in the queue or the scene."""
    name = STAGES.get(progress.stage, progress.stage)
    if progress.queue_position:
        return f"{name} #{progress.queue_position}"
    if progress.scene and progress.scenes:
        return f"{name} {progress.scene}/{progress.scenes}"
    return name


@contextmanager
def _bar() -> Iterator[Show]:
    from rich.console import Console  # noqa: PLC0415 - slower than all the rest, for terminals only
    from rich.progress import (  # noqa: PLC0415
        BarColumn,
        MofNCompleteColumn,
        TextColumn,
        TimeElapsedColumn,
    )
    from rich.progress import Progress as Bar  # noqa: PLC0415

    columns = (
        TextColumn("{task.description}"),
        BarColumn(),
        MofNCompleteColumn(),
        TimeElapsedColumn(),
        TextColumn("{task.fields[left]}"),
    )
    with Bar(*columns, console=Console(stderr=True)) as bar:
        task = bar.add_task(STAGES["queued"], total=None, left="")

        def show(progress: Progress) -> None:
            seconds = progress.eta_seconds
            bar.update(
                task,
                description=headline(progress),
                completed=progress.step,
                total=progress.steps or None,
                left="" if seconds is None else f"~{seconds:.0f} s",
            )

        yield show

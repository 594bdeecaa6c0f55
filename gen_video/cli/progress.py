"""A progress bar for one drawing: stage, steps and the time that is left."""

from collections.abc import Callable, Iterator
from contextlib import contextmanager

from rich.console import Console
from rich.progress import (
    BarColumn,
    MofNCompleteColumn,
    Progress,
    TextColumn,
    TimeElapsedColumn,
    TimeRemainingColumn,
)

from gen_video.engines.tasks import StepProgress

STAGES = {"loading": "Loading / 加载", "denoising": "Drawing / 绘制", "decoding": "Decoding / 解码"}


@contextmanager
def progress_bar() -> Iterator[Callable[[StepProgress], None]]:
    """Show a bar on standard error while the block runs; give the function that moves it."""
    columns = (
        TextColumn("{task.description}"),
        BarColumn(),
        MofNCompleteColumn(),
        TimeElapsedColumn(),
        TimeRemainingColumn(),
    )
    with Progress(*columns, console=Console(stderr=True)) as progress:
        bar = progress.add_task(STAGES["loading"], total=None)

        def move(step: StepProgress) -> None:
            name = STAGES.get(step.stage, step.stage)
            progress.update(bar, description=name, completed=step.step, total=step.steps or None)

        yield move

"""`gen-video web`, `worker` and `courier`: one process each, for machines that run only that."""

import os
import sys
from typing import NoReturn

import typer

app = typer.Typer(add_completion=False)


@app.command(context_settings={"allow_extra_args": True, "ignore_unknown_options": True})
def run(context: typer.Context) -> None:
    """Run one process of the service; the settings say how.

    运行一个服务进程。
    """
    name = (context.info_name or "").split()[-1]
    replace_process(name, context.args)


def replace_process(name: str, arguments: list[str]) -> NoReturn:
    """Become `python -m gen_video NAME …`."""
    os.execv(sys.executable, [sys.executable, "-m", "gen_video", name, *arguments])  # noqa: S606 - our own module

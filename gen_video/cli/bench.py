"""`gen-video bench`: measure this installation."""

import os
import sys

import typer

from gen_video.errors import ServiceError
from gen_video.settings import PROJECT_FOLDER

app = typer.Typer(add_completion=False)


class NoBenchmarksError(ServiceError):
    """The benchmarks are part of the source tree, not of the installed package."""

    code = "no_benchmarks"
    message_en = "The benchmarks are in the source tree only: run `make bench` there"
    message_zh = "性能测试仅随源码提供，请在源码目录运行 make bench"


@app.command(context_settings={"allow_extra_args": True, "ignore_unknown_options": True})
def bench(context: typer.Context) -> None:
    """Run the benchmarks; arguments are handed on to them.

    运行性能测试，参数原样传递。
    """
    if not (PROJECT_FOLDER / "benchmarks" / "__main__.py").is_file():
        raise NoBenchmarksError
    os.chdir(PROJECT_FOLDER)
    os.execv(sys.executable, [sys.executable, "-m", "benchmarks", *context.args])  # noqa: S606 - our own module

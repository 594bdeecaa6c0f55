"""`gen-video audit`: prove that nothing was lost, doubled or left open."""

from dataclasses import asdict
from typing import Annotated

import typer

from gen_video.cli.configuration import load_settings
from gen_video.cli.terminal import note, print_json, say
from gen_video.wiring import build_services

app = typer.Typer(add_completion=False)


@app.command()
def audit(
    *,
    is_reading_files: Annotated[
        bool, typer.Option("--files/--no-files", help="Compare files with their hashes / 校验文件")
    ] = True,
    is_json: Annotated[bool, typer.Option("--json", help="Print JSON / 输出 JSON")] = False,
) -> None:
    """Check the invariants on the live database; exit code 1 when one is broken.

    核对不变量，有问题时退出码为 1。
    """
    services = build_services(load_settings())
    try:
        services.require_schema()
        report = services.auditor.audit(is_reading_files=is_reading_files)
    finally:
        services.close()
    if is_json:
        print_json(asdict(report))
    for finding in () if is_json else report.findings:
        say(f"{finding.invariant}  {finding.subject}  {finding.text}")
    found = len(report.findings)
    note(
        f"Audited {report.jobs} jobs and {report.files} files: {found} findings.",
        f"已核对 {report.jobs} 个任务、{report.files} 个文件：{found} 个问题。",
    )
    raise typer.Exit(1 if found else 0)

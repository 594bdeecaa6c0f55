"""`gen-video quota`: what is left today."""

import typer

from gen_video.cli.remote import AsJson, BaseUrl, connect
from gen_video.cli.terminal import Cell, note, print_json, print_rows

app = typer.Typer(add_completion=False)


@app.command()
def quota(*, base_url: BaseUrl = None, is_json: AsJson = False) -> None:
    """Show what is used and left today.

    显示今日已用与剩余配额。
    """
    with connect(base_url, is_json=is_json) as client:
        found = client.quota()
    if is_json:
        print_json(found.raw)
        return
    rows: list[dict[str, Cell]] = [
        {
            "kind": kind,
            "limit": units.limit,
            "used": units.used,
            "reserved": units.reserved,
            "remaining": units.remaining,
        }
        for kind, units in (("images", found.images), ("videos", found.videos))
    ]
    print_rows(rows, is_json=False)
    note(
        f"{found.user_id} ({found.tier}), new units at {found.resets_at} ({found.timezone})",
        f"配额重置时间 {found.resets_at}（{found.timezone}）",
    )

"""`gen-video login`: keep a service's address and key, once the service has taken the key."""

import sys
from typing import Annotated

import typer

from gen_video.cli.logins import clean, find_target, logins_file, read_logins, write_logins
from gen_video.cli.remote import AsJson, connect_with
from gen_video.cli.terminal import note, print_json

LOCAL = "http://127.0.0.1:8000"

app = typer.Typer(add_completion=False)


@app.command()
def login(
    *,
    base_url: Annotated[
        str | None, typer.Option("--base-url", metavar="URL", help="Of the service / 服务地址")
    ] = None,
    key: Annotated[
        str | None,
        typer.Option(
            "--key", help="API key, - reads it from standard input / 密钥，- 表示标准输入"
        ),
    ] = None,
    is_json: AsJson = False,
) -> None:
    """Log in to a service: the key is asked for without showing it, tried, and kept for you alone.

    GEN_VIDEO_BASE_URL and GEN_VIDEO_API_KEY go before what is kept.

    登录服务：隐藏输入密钥，验证后仅为当前用户保存。环境变量 GEN_VIDEO_BASE_URL 与
    GEN_VIDEO_API_KEY 优先。
    """
    address = clean(base_url or find_target(None).base_url or LOCAL)
    given = _read_key(address) if key in {None, "-"} else key
    with connect_with(address, given or "", is_json=is_json) as client:
        quota = client.quota()
    write_logins(read_logins().with_login(address, (given or "").strip()))
    if is_json:
        print_json({"base_url": address, "user_id": quota.user_id, "tier": quota.tier})
    note(
        f"Logged in to {address} as {quota.user_id} ({quota.tier}); kept in {logins_file()}",
        f"已登录 {address}，用户 {quota.user_id}（{quota.tier}）",
    )


def _read_key(address: str) -> str:
    if sys.stdin.isatty():
        return str(typer.prompt(f"API key / 密钥 ({address})", hide_input=True, err=True))
    return sys.stdin.readline()

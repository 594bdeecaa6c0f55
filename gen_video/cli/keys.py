"""`gen-video keys`: API keys of users."""

import re
from datetime import timedelta
from typing import Annotated

import typer

from gen_video.accounts.models import KeyRow
from gen_video.cli.configuration import open_services
from gen_video.cli.identity import this_operator
from gen_video.cli.terminal import Cell, note, print_json, print_rows, say
from gen_video.errors import ServiceError

app = typer.Typer(add_completion=False, no_args_is_help=True, help="API keys. / 管理 API Key。")

DAYS_IN = {"d": 1, "w": 7, "y": 365}
_LIFETIME = re.compile(r"(\d{1,5})([dwy])")

AsJson = Annotated[bool, typer.Option("--json", help="Print JSON / 输出 JSON")]


class LifetimeError(ServiceError):
    """A lifetime that cannot be read."""

    code = "invalid_lifetime"
    message_en = "{given} is no lifetime; write for example 30d, 12w or 1y"
    message_zh = "{given} 不是有效期限，请写成 30d、12w 或 1y"


@app.command()
def create(
    user: Annotated[str, typer.Argument(help="User name / 用户名")],
    *,
    label: Annotated[str, typer.Option(help="What it is for / 用途说明")] = "",
    expires: Annotated[str, typer.Option(help="Lifetime, such as 30d / 有效期")] = "",
    images_per_day: Annotated[
        int | None, typer.Option(help="Limit of this key / 此密钥的每日图片上限", min=0)
    ] = None,
    videos_per_day: Annotated[
        int | None, typer.Option(help="Limit of this key / 此密钥的每日视频上限", min=0)
    ] = None,
    plan: Annotated[
        str, typer.Option(help="Create the user with this plan first / 先按此套餐创建用户")
    ] = "",
    is_json: AsJson = False,
) -> None:
    """Make a key; it is shown once.

    创建密钥，明文只显示一次。
    """
    lifetime = read_lifetime(expires) if expires else None
    with open_services() as services:
        if plan:
            services.accounts.create_account(user, plan_id=plan, by=this_operator())
        issued = services.accounts.create_key(
            user,
            label=label,
            lifetime=lifetime,
            images_per_day=images_per_day,
            videos_per_day=videos_per_day,
            by=this_operator(),
        )
    if is_json:
        print_json({"key": issued.plaintext, **_cells(issued.row)})
        return
    say(issued.plaintext)
    note("Keep it now, it is not shown again.", "请立即保存，之后不再显示。")


@app.command("list")
def list_keys(
    user: Annotated[str | None, typer.Argument(help="Only of this user / 仅此用户")] = None,
    *,
    is_json: AsJson = False,
) -> None:
    """List keys; the keys themselves are not known any more.

    列出密钥（不含明文）。
    """
    with open_services() as services:
        rows = services.accounts.list_keys(user)
    print_rows([_cells(row) for row in rows], is_json=is_json)


@app.command()
def revoke(
    key: Annotated[str, typer.Argument(help="Its id or public part / 密钥 id 或公开部分")],
) -> None:
    """End a key; every process refuses it within a second.

    吊销密钥，一秒内全部进程生效。
    """
    with open_services() as services:
        row = services.accounts.revoke_key(key, by=this_operator())
    note(f"Revoked {row.id} of {row.account_name}.", f"已吊销 {row.account_name} 的 {row.id}。")


def read_lifetime(given: str) -> timedelta:
    """Read a lifetime such as `30d`.

    Raises:
        LifetimeError: It is none.
    """
    match = _LIFETIME.fullmatch(given.strip().lower())
    if match is None:
        raise LifetimeError(given=given)
    return timedelta(days=int(match[1]) * DAYS_IN[match[2]])


def _cells(row: KeyRow) -> dict[str, Cell]:
    return {
        "id": row.id,
        "user": row.account_name,
        "public_part": row.lookup,
        "ends_with": row.hint,
        "label": row.label,
        "images_per_day": row.images_per_day,
        "videos_per_day": row.videos_per_day,
        "created_at": row.created_at,
        "expires_at": row.expires_at,
        "revoked_at": row.revoked_at,
        "last_used_at": row.last_used_at,
    }

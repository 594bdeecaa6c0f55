"""`gen-video settings`: what is in effect, secrets masked."""

from typing import Annotated

import typer
from pydantic import SecretStr

from gen_video.cli.configuration import load_settings
from gen_video.cli.terminal import Cell, print_json, print_rows
from gen_video.settings import Settings

MASK = "***"

app = typer.Typer(add_completion=False)


@app.command()
def settings(
    *, is_json: Annotated[bool, typer.Option("--json", help="Print JSON / 输出 JSON")] = False
) -> None:
    """Show every setting with its effective value; an asterisk marks what differs from default.

    显示全部生效配置，星号表示与默认值不同。
    """
    effective = load_settings()
    shown = masked(effective)
    if is_json:
        print_json(shown)
        return
    changed = {name for name in shown if _is_changed(effective, name)}
    print_rows(
        [
            {
                "": "*" if name in changed else "",
                "setting": f"GEN_VIDEO_{name.upper()}",
                "value": value,
            }
            for name, value in shown.items()
        ],
        is_json=False,
    )


def masked(effective: Settings) -> dict[str, Cell]:
    """Return every setting as text that may be shown to anybody."""
    cells: dict[str, Cell] = {}
    for name in Settings.model_fields:
        value = getattr(effective, name)
        if isinstance(value, SecretStr):
            cells[name] = MASK if value.get_secret_value() else ""
        elif isinstance(value, tuple):
            cells[name] = ",".join(value)
        elif isinstance(value, bool | int | float) or value is None:
            cells[name] = value
        else:
            cells[name] = without_password(str(value))
    return cells


def without_password(text: str) -> str:
    """Return a URL with its password and its query masked; other text as it is."""
    scheme, separator, rest = text.partition("://")
    if not separator:
        return text
    place, has_query, _ = rest.partition("?")
    login, at, host = place.rpartition("@")
    user, has_password, _ = login.partition(":")
    shown = f"{user}:{MASK}" if has_password else user
    return f"{scheme}://{shown}{at}{host}{f'?{MASK}' if has_query else ''}"


def _is_changed(effective: Settings, name: str) -> bool:
    return bool(getattr(effective, name) != Settings.model_fields[name].default)

"""`gen-video migrate`: bring the database to this version's schema."""

import typer

from gen_video.cli.configuration import load_settings
from gen_video.cli.terminal import note
from gen_video.wiring import migrate_database

app = typer.Typer(add_completion=False)


@app.command()
def migrate() -> None:
    """Migrate the database and add the default plans; doing it twice changes nothing.

    升级数据库并补全默认套餐，可重复执行。
    """
    revision = migrate_database(load_settings())
    note(f"The database is at {revision}.", f"数据库版本为 {revision}。")

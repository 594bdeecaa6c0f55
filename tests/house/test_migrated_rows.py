"""Rows that were there before a migration are right after it."""

from collections.abc import Iterator

import pytest
from sqlalchemy import Connection, text

from gen_video.db import migrate
from gen_video.db.database import Database

BEFORE_VIDEOS = "2026_11_24_no_truncate"
LARGEST = 2**63 - 1
COLUMNS = (
    "id, tier, title_en, title_zh, images_per_day, videos_per_day, max_in_flight, max_pictures, "
    "max_work, priority"
)


@pytest.fixture
def database(database_url: str) -> Iterator[Database]:
    database = Database(database_url)
    yield database
    database.close()


@pytest.mark.parametrize(
    ("max_work", "expected"),
    [(1, 16), (419_430_400, 6_710_886_400), (LARGEST // 16, LARGEST - 15), (LARGEST, LARGEST)],
)
def test_plans_get_a_cap_on_videos(database: Database, max_work: int, expected: int) -> None:
    migrate.upgrade(database, BEFORE_VIDEOS)

    def add(connection: Connection) -> None:
        connection.execute(
            text(f"INSERT INTO plans ({COLUMNS}) VALUES ('p','p','P','P',1,1,1,1,:work,0)"),  # noqa: S608
            {"work": max_work},
        )

    database.write(add)
    migrate.upgrade(database)

    def read(connection: Connection) -> object:
        return connection.execute(text("SELECT max_video_work FROM plans")).scalar_one()

    found = database.read(read)
    assert (type(found), found) == (int, expected)

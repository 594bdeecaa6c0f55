"""UtcTime: a moment comes back as it went in, in UTC, to the microsecond."""

from datetime import UTC, datetime, timedelta, timezone
from zoneinfo import ZoneInfo

import pytest
from hypothesis import given
from hypothesis import strategies as st
from sqlalchemy import Connection, insert, select, text
from sqlalchemy.dialects import sqlite
from sqlalchemy.exc import StatementError

from gen_video.db.database import Database
from gen_video.db.schema import EPOCH, UtcTime
from tests.db.conftest import notes

SHANGHAI = ZoneInfo("Asia/Shanghai")
NEW_YORK = ZoneInfo("America/New_York")
DIALECT = sqlite.dialect()


def store_and_read(database: Database, moment: datetime | None) -> datetime | None:
    def work(connection: Connection) -> datetime | None:
        connection.execute(insert(notes).values(id=1, written_at=moment))
        found: datetime | None = connection.execute(select(notes.c.written_at)).scalar_one()
        return found

    return database.write(work)


@pytest.mark.parametrize(
    "moment",
    [
        pytest.param(EPOCH, id="epoch"),
        pytest.param(EPOCH - timedelta(microseconds=1), id="just before the epoch"),
        pytest.param(datetime(2026, 3, 10, 12, 30, 15, 123456, tzinfo=UTC), id="microseconds"),
        pytest.param(datetime(2038, 1, 19, 3, 14, 8, tzinfo=UTC), id="after 32 bits"),
        pytest.param(datetime(2026, 3, 10, 0, 30, tzinfo=SHANGHAI), id="yesterday in UTC"),
        pytest.param(datetime(2026, 11, 1, 1, 30, fold=0, tzinfo=NEW_YORK), id="hour, first time"),
        pytest.param(datetime(2026, 11, 1, 1, 30, fold=1, tzinfo=NEW_YORK), id="hour, second time"),
        pytest.param(datetime(1, 1, 1, tzinfo=UTC), id="earliest"),
        pytest.param(datetime.max.replace(tzinfo=UTC), id="latest"),
    ],
)
def test_a_moment_comes_back_the_same_in_utc(database: Database, moment: datetime) -> None:
    found = store_and_read(database, moment)

    assert found == moment.astimezone(UTC)
    assert found is not None
    assert found.tzinfo is UTC


def test_no_moment_stays_none(database: Database) -> None:
    assert store_and_read(database, None) is None


def test_a_moment_is_stored_as_whole_microseconds(database: Database) -> None:
    """The same integers on both databases: a dump of one can be read by the other."""
    moment = EPOCH + timedelta(seconds=1, microseconds=500)
    store_and_read(database, moment)

    stored = database.read(
        lambda connection: connection.execute(text("SELECT written_at FROM notes")).scalar_one()
    )

    assert stored == 1_000_500


def test_a_moment_without_a_time_zone_is_refused(database: Database) -> None:
    naive = datetime(2026, 3, 10, 12)  # noqa: DTZ001 - the mistake that is refused

    with pytest.raises(StatementError, match="must be aware"):
        store_and_read(database, naive)


@given(
    st.datetimes(
        min_value=datetime(2, 1, 1),  # noqa: DTZ001 - hypothesis adds the time zone
        max_value=datetime(9998, 12, 31),  # noqa: DTZ001 - as above
        timezones=st.timezones()
        | st.integers(-23, 23).map(lambda hours: timezone(timedelta(hours=hours))),
    )
)
def test_no_time_zone_and_no_age_loses_a_microsecond(moment: datetime) -> None:
    column = UtcTime()

    stored = column.process_bind_param(moment, DIALECT)

    assert column.process_result_value(stored, DIALECT) == moment.astimezone(UTC)

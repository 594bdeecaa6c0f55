"""The one MetaData that every slice's tables register with, and the column types they share."""

from datetime import UTC, datetime, timedelta

from sqlalchemy import BigInteger, Dialect, Integer, MetaData, TypeDecorator
from typing_extensions import override

NAMING = {
    "ix": "ix_%(table_name)s_%(column_0_N_name)s",
    "uq": "uq_%(table_name)s_%(column_0_N_name)s",
    "ck": "ck_%(table_name)s_%(constraint_name)s",
    "fk": "fk_%(table_name)s_%(column_0_N_name)s_%(referred_table_name)s",
    "pk": "pk_%(table_name)s",
}

metadata = MetaData(naming_convention=NAMING)

EPOCH = datetime(1970, 1, 1, tzinfo=UTC)


class UtcTime(TypeDecorator[datetime]):
    """An aware UTC moment, stored as whole microseconds since 1970 on every database.

    Integers compare and index the same everywhere and keep no hidden time zone.
    """

    impl = BigInteger
    cache_ok = True

    @override
    def process_bind_param(self, value: datetime | None, dialect: Dialect) -> int | None:
        """Turn an aware moment into microseconds."""
        if value is None:
            return None
        if value.tzinfo is None:
            raise ValueError("a stored time must be aware")
        return (value - EPOCH) // timedelta(microseconds=1)

    @override
    def process_result_value(self, value: int | None, dialect: Dialect) -> datetime | None:
        """Turn microseconds into an aware UTC moment."""
        return None if value is None else EPOCH + timedelta(microseconds=value)


BigKey = BigInteger().with_variant(Integer(), "sqlite")
"""An auto-incrementing 64-bit key; SQLite only counts up on plain INTEGER."""

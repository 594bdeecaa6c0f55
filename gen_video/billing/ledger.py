"""Ledger arithmetic: which entries a promise and its settlement write.

Double entry in units of an asset (`image`, `video`): the entries of one transaction sum to zero.
Every account and day has three ledger accounts: `available`, `held`, `used`.
"""

from dataclasses import dataclass


@dataclass(frozen=True, slots=True, kw_only=True)
class Entry:
    """A signed amount on one ledger account."""

    ledger_account: str
    asset: str
    amount: int


@dataclass(frozen=True, slots=True, kw_only=True)
class Position:
    """Whose units of which day are moved."""

    account_id: str
    kind: str
    window_date: str

    def ledger_account(self, part: str) -> str:
        """Return the name of one of the three ledger accounts: available, held or used."""
        return f"quota:{self.account_id}:{self.kind}:{self.window_date}:{part}"


def reserve_entries(position: Position, *, units: int) -> tuple[Entry, ...]:
    """Return the entries that set units aside.

    Raises:
        ValueError: Not even one unit is set aside.
    """
    if units < 1:
        raise ValueError(f"a hold sets at least one unit aside, not {units}")
    return _entries(position, available=-units, held=units, used=0)


def settle_entries(position: Position, *, units: int, captured: int) -> tuple[Entry, ...]:
    """Return the entries that end a hold of `units`, of which `captured` were delivered.

    Raises:
        ValueError: More would be captured than was held.
    """
    if not 0 <= captured <= units:
        raise ValueError(f"cannot capture {captured} of {units} held units")
    return _entries(position, available=units - captured, held=-units, used=captured)


def _entries(position: Position, **amounts: int) -> tuple[Entry, ...]:
    return tuple(
        Entry(ledger_account=position.ledger_account(part), asset=position.kind, amount=amount)
        for part, amount in amounts.items()
        if amount != 0
    )

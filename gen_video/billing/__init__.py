"""Billing: the append-only double-entry ledger of everything that was promised and delivered."""

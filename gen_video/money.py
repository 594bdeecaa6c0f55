"""Money: integers of the smallest unit, never floats."""

from typing import NewType

Credits = NewType("Credits", int)
"""A price in micro-credits; 1 credit = 1,000,000."""

MICROS_PER_CREDIT = 1_000_000

"""Fixtures of the webhook tests: a studio whose jobs end, and an office that tells of it."""

import pytest

from gen_video.accounts.models import Caller
from tests.generation.conftest import (
    blank_file,
    objects,
    open_database,
    postgresql_url,
    shared_postgresql_url,
    studio,
)
from tests.generation.studio import Studio
from tests.webhooks.office import Office

__all__ = [
    "blank_file",
    "objects",
    "open_database",
    "postgresql_url",
    "shared_postgresql_url",
    "studio",
]


@pytest.fixture
def office(studio: Studio) -> Office:
    return Office(studio)


@pytest.fixture
def ada(studio: Studio) -> Caller:
    return studio.new_caller("ada", plan_id="paid")


@pytest.fixture
def bob(studio: Studio) -> Caller:
    return studio.new_caller("bob", plan_id="paid")

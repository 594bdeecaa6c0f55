"""Fixtures of tests with a real engine child; the child ends with the test."""

from collections.abc import Callable, Iterator

import pytest

from gen_video.engines.host import HostLimits
from tests.engines.hosts import Driver

DriverOf = Callable[[HostLimits], Driver]


@pytest.fixture(scope="module")
def driver() -> Iterator[Driver]:
    """Return a patient host that the tests of a module share."""
    driver = Driver()
    yield driver
    driver.host.close()


@pytest.fixture
def driver_of() -> Iterator[DriverOf]:
    """Return a function that makes a host of a certain patience."""
    drivers: list[Driver] = []

    def start(limits: HostLimits) -> Driver:
        drivers.append(Driver(limits=limits))
        return drivers[-1]

    yield start
    for driver in drivers:
        driver.host.close()

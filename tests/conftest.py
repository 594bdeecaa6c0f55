"""Fixtures and rules of every test: databases, servers that tests need, what skipping means."""

import re
from collections import Counter
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.services import (
    IS_CI,
    SERVICES,
    SKIP_WORDS,
    fresh_postgresql_database,
    require_service,
)


@pytest.fixture
def postgresql_url() -> Iterator[str]:
    """Return the URL of an empty PostgreSQL database of this test's own."""
    require_service(SERVICES[0])
    with fresh_postgresql_database() as url:
        yield url


@pytest.fixture(params=["sqlite", pytest.param("postgresql", marks=pytest.mark.postgresql)])
def database_url(request: pytest.FixtureRequest, tmp_path: Path) -> str:
    """Return the URL of an empty database, once on SQLite and once on PostgreSQL."""
    if request.param == "sqlite":
        return f"sqlite:///{tmp_path / 'test.sqlite3'}"
    url: str = request.getfixturevalue("postgresql_url")
    return url


def pytest_runtest_setup(item: pytest.Item) -> None:
    """Skip a test, or fail it under CI, when a server that it is marked with does not answer."""
    for service in SERVICES:
        if item.get_closest_marker(service.marker) is not None:
            require_service(service)


def pytest_terminal_summary(terminalreporter: pytest.TerminalReporter) -> None:
    """Count aloud what was skipped and why."""
    skipped = _skip_reasons(terminalreporter)
    missing = Counter(match[1] for match in map(_missing_service.search, skipped) if match)
    for title, count in sorted(missing.items()):
        terminalreporter.write_line(
            f"{count} tests skipped because {title} {SKIP_WORDS} / "
            f"{title} 未运行，跳过 {count} 个测试",
            yellow=True,
        )
    if IS_CI and skipped:
        terminalreporter.write_line(
            f"CI=true: nothing may be skipped, {len(skipped)} were", red=True, bold=True
        )


def pytest_sessionfinish(session: pytest.Session) -> None:
    """Make a skip a failure under CI=true."""
    reporter = session.config.pluginmanager.get_plugin("terminalreporter")
    if IS_CI and reporter is not None and _skip_reasons(reporter) and not session.exitstatus:
        session.exitstatus = pytest.ExitCode.TESTS_FAILED


_missing_service = re.compile(rf"Skipped: (\w+) {SKIP_WORDS}")


def _skip_reasons(reporter: pytest.TerminalReporter) -> list[str]:
    return [str(report.longrepr) for report in reporter.stats.get("skipped", [])]

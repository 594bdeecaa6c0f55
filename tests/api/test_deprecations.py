"""What clients of a deprecated address are told."""

from datetime import UTC, datetime

import pytest

from gen_video.api.deprecations import DEPRECATIONS, Deprecation

SINCE = datetime(2026, 11, 25, tzinfo=UTC)


@pytest.mark.parametrize(
    ("given", "expected"),
    [
        (
            Deprecation(since=SINCE, successor="/new/{thing}"),
            [("Deprecation", "@1795564800"), ("Link", '</new/a%2Fb>; rel="successor-version"')],
        ),
        (
            Deprecation(
                since=SINCE,
                successor="/new",
                sunset=datetime(2027, 11, 25, 8, tzinfo=UTC),
                page="https://docs.example.com/versioning",
            ),
            [
                ("Deprecation", "@1795564800"),
                ("Link", '</new>; rel="successor-version"'),
                (
                    "Link",
                    '<https://docs.example.com/versioning>; rel="deprecation"; type="text/html"',
                ),
                ("Sunset", "Thu, 25 Nov 2027 08:00:00 GMT"),
            ],
        ),
    ],
)
def test_headers_by_their_rfcs(given: Deprecation, expected: list[tuple[str, str]]) -> None:
    assert list(given.headers({"thing": "a/b"})) == expected


@pytest.mark.parametrize("deprecation", DEPRECATIONS.values(), ids=list(DEPRECATIONS))
def test_what_ends_is_announced_half_a_year_before(deprecation: Deprecation) -> None:
    """The promise of docs/api/versioning.md."""
    if deprecation.sunset is not None:
        assert (deprecation.sunset - deprecation.since).days >= 180

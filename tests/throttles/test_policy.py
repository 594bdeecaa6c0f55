"""Who shares an allowance."""

import pytest

from gen_video.throttles.policy import account_bucket, account_rate, stranger_bucket
from gen_video.throttles.throttle import Rate


@pytest.mark.parametrize(
    ("requests_per_minute", "expected"),
    [(0, None), (1, Rate(limit=1, window_seconds=60)), (1200, Rate(limit=1200, window_seconds=60))],
)
def test_a_plan_of_zero_has_no_limit(requests_per_minute: int, expected: Rate | None) -> None:
    assert account_rate(requests_per_minute) == expected


@pytest.mark.parametrize(
    ("host", "expected"),
    [
        ("203.0.113.7", "address:203.0.113.7"),
        ("::ffff:203.0.113.7", "address:203.0.113.7"),
        ("2001:db8:1:2:aaaa::1", "address:2001:db8:1:2::/64"),
        ("2001:db8:1:2:bbbb::1", "address:2001:db8:1:2::/64"),
        ("fe80::1%eth0", "address:fe80::/64"),
        ("testclient", "address:testclient"),
        (None, "address:unknown"),
    ],
)
def test_an_address_has_one_bucket_however_it_is_written(host: str | None, expected: str) -> None:
    assert stranger_bucket(host) == expected


def test_buckets_fit_into_their_column_and_never_meet() -> None:
    longest = stranger_bucket("x" * 5000)

    assert len(longest) <= 120
    assert account_bucket("unknown") != stranger_bucket(None)

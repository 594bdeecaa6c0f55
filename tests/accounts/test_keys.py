"""The form of a key: hard to guess, easy to check without a database, never stored."""

import hashlib
import hmac
import re

import pytest
from hypothesis import assume, given
from hypothesis import strategies as st

from gen_video.accounts import keys
from gen_video.ids import BASE62

KEY = "gv_live_0123456789ab_" + "s" * 43 + "4XXEf7"
BODY, CHECKSUM = KEY[: -keys.CHECKSUM_LENGTH], KEY[-keys.CHECKSUM_LENGTH :]

FOREIGN_BODY = BODY.replace("0", "\N{ARABIC-INDIC DIGIT ZERO}")


def find_lookup(key: str) -> str | None:
    return keys.find_lookup(key, allow_test_keys=False)


def test_a_new_key_has_the_form_that_secret_scanners_know() -> None:
    made = keys.make_key()

    assert re.fullmatch(r"gv_live_[0-9A-Za-z]{12}_[0-9A-Za-z]{49}", made.plaintext)
    assert find_lookup(made.plaintext) == made.lookup
    assert made.plaintext.endswith(made.hint)


def test_no_two_new_keys_share_a_lookup_or_a_secret() -> None:
    made = [keys.make_key() for _ in range(500)]

    assert len({key.lookup for key in made}) == 500
    assert len({key.plaintext.split("_")[3] for key in made}) == 500


def test_a_secret_has_256_random_bits() -> None:
    """62^43 is just above 2^256, so the length hides no bit."""
    assert 62**keys.SECRET_LENGTH > 2**keys.SECRET_BITS == 2**256
    assert 62**keys.LOOKUP_LENGTH > 2**keys.LOOKUP_BITS
    assert 62**keys.CHECKSUM_LENGTH > 2**32


def test_the_checksum_stays_what_issued_keys_were_made_with() -> None:
    """Another checksum would refuse every key that is already in somebody's script."""
    assert keys.checksum(BODY) == CHECKSUM
    assert find_lookup(KEY) == "0123456789ab"


@given(position=st.integers(0, len(KEY) - 1), typed=st.sampled_from(BASE62 + "_- é\n"))
def test_one_mistyped_character_is_always_noticed(position: int, typed: str) -> None:
    assume(KEY[position] != typed)

    assert find_lookup(KEY[:position] + typed + KEY[position + 1 :]) is None


@given(position=st.integers(0, len(KEY) - 2))
def test_two_swapped_characters_are_always_noticed(position: int) -> None:
    left, right = KEY[position], KEY[position + 1]
    assume(left != right)

    assert find_lookup(KEY[:position] + right + left + KEY[position + 2 :]) is None


@given(st.text(max_size=300))
def test_whatever_is_no_key_is_no_key(text: str) -> None:
    assert find_lookup(text) is None


@pytest.mark.parametrize(
    "almost",
    [
        pytest.param("", id="empty"),
        pytest.param("gv_live_", id="only the prefix"),
        pytest.param(KEY + "\n", id="line end"),
        pytest.param(" " + KEY, id="space before"),
        pytest.param(KEY + KEY, id="twice"),
        pytest.param(KEY[:-1], id="cut"),
        pytest.param(KEY.upper(), id="capitals"),
        pytest.param(KEY.replace("live", "prod"), id="another prefix"),
        pytest.param(FOREIGN_BODY + keys.checksum(FOREIGN_BODY), id="digits of another script"),
        pytest.param(BODY.replace("live", "test") + CHECKSUM, id="checksum of another body"),
        pytest.param("test-key-123", id="test key"),
        pytest.param("demo-key-456", id="demo key"),
        pytest.param("k" * 100_000, id="far too long"),
    ],
)
def test_what_only_looks_like_a_key_is_refused(almost: str) -> None:
    assert find_lookup(almost) is None


@pytest.mark.parametrize("key", ["test-key-123", "demo-key-456"])
def test_the_seeds_keys_are_found_where_they_are_allowed(key: str) -> None:
    assert keys.find_lookup(key, allow_test_keys=True) == key
    assert keys.find_lookup(key + "4", allow_test_keys=True) is None


def test_the_stored_hash_is_hmac_sha256_under_the_pepper() -> None:
    stored = keys.hash_key(KEY, pepper=b"pepper")

    assert stored == hmac.digest(b"pepper", KEY.encode(), "sha256").hex()
    assert stored != keys.hash_key(KEY, pepper=b"another")
    assert stored != hashlib.sha256(KEY.encode()).hexdigest()

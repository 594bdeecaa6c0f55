"""Links to files that expire: what was signed here passes until its time, and nothing else."""

import hmac
import re
from base64 import urlsafe_b64encode

import pytest

from gen_video.storage.signatures import FileLinks, LinkExpiredError, LinkInvalidError

NAME = "images/job_0123456789abcdefghijAB.png"
OTHER = "images/job_0123456789abcdefghijAC.png"
NOW = 1_700_000_000.25
LINKS = FileLinks(b"secret", seconds=60)


def parse(query: str) -> tuple[str, str]:
    match = re.fullmatch(r"expires=(\d+)&signature=([\w-]+)", query)
    assert match is not None
    return match[1], match[2]


EXPIRES, SIGNATURE = parse(LINKS.query(NAME, now=NOW))


def test_a_link_is_valid_from_now_on_for_its_time() -> None:
    assert int(EXPIRES) == 1_700_000_061

    for now in (NOW, NOW + 60, int(EXPIRES) - 0.001):
        LINKS.require_valid(NAME, expires=EXPIRES, signature=SIGNATURE, now=now)


@pytest.mark.parametrize("late", [0, 0.001, 1, 1e9])
def test_a_link_expires(late: float) -> None:
    with pytest.raises(LinkExpiredError):
        LINKS.require_valid(NAME, expires=EXPIRES, signature=SIGNATURE, now=int(EXPIRES) + late)


def test_a_signature_has_128_bits_or_more() -> None:
    assert len(SIGNATURE) * 6 >= 128


@pytest.mark.parametrize("position", range(len(SIGNATURE)))
def test_no_character_of_a_signature_can_be_changed(position: int) -> None:
    for other in "AZaz09-_=+/ ":
        changed = SIGNATURE[:position] + other + SIGNATURE[position + 1 :]
        if changed != SIGNATURE:
            with pytest.raises(LinkInvalidError):
                LINKS.require_valid(NAME, expires=EXPIRES, signature=changed, now=NOW)


@pytest.mark.parametrize("position", range(len(EXPIRES)))
def test_no_digit_of_the_expiry_can_be_changed(position: int) -> None:
    for other in "0123456789":
        changed = EXPIRES[:position] + other + EXPIRES[position + 1 :]
        if changed != EXPIRES:
            with pytest.raises(LinkInvalidError):
                LINKS.require_valid(NAME, expires=changed, signature=SIGNATURE, now=NOW)


@pytest.mark.parametrize(
    "expires",
    [
        *("", " ", f"0{EXPIRES}", f"+{EXPIRES}", f" {EXPIRES}", f"{EXPIRES}\n", f"{EXPIRES}.0"),
        *("-1", "1_700_000_061", "\uff19", "9" * 5000, "nan"),
    ],
)
def test_an_expiry_is_written_in_one_way(expires: str) -> None:
    with pytest.raises(LinkInvalidError):
        LINKS.require_valid(NAME, expires=expires, signature=SIGNATURE, now=NOW)


@pytest.mark.parametrize("signature", ["", SIGNATURE[:-1], f"{SIGNATURE}=", f"{SIGNATURE}\n", "签"])
def test_a_signature_is_written_in_one_way(signature: str) -> None:
    with pytest.raises(LinkInvalidError):
        LINKS.require_valid(NAME, expires=EXPIRES, signature=signature, now=NOW)


def test_a_link_is_for_one_file() -> None:
    with pytest.raises(LinkInvalidError):
        LINKS.require_valid(OTHER, expires=EXPIRES, signature=SIGNATURE, now=NOW)


def test_the_parts_of_what_is_signed_cannot_be_shifted() -> None:
    """Name and expiry are told apart: moving a digit from one to the other is another link."""
    shifted = LINKS.sign(f"1{NAME}", 23)

    assert shifted != LINKS.sign(NAME, 231)
    assert shifted != LINKS.sign(f"31{NAME}", 2)


def test_another_secret_signs_otherwise() -> None:
    other = FileLinks(b"another secret", seconds=60)

    with pytest.raises(LinkInvalidError):
        other.require_valid(NAME, expires=EXPIRES, signature=SIGNATURE, now=NOW)


def test_the_key_is_not_the_secret_itself() -> None:
    """The secret hashes API keys too: a signature must never be a hash of one."""
    plain = hmac.digest(b"secret", f"{EXPIRES}\n{NAME}".encode(), "sha256")

    assert urlsafe_b64encode(plain[:24]).decode() != SIGNATURE

"""What passwords and e-mail addresses may be, and how long wrong ones keep one waiting."""

import pytest

from gen_video.accounts import passwords
from gen_video.accounts.errors import InvalidEmailError, WeakPasswordError

KNOWN = ("ann", "ann@example.com")


@pytest.mark.parametrize(
    ("failures", "seconds"),
    [(0, 0), (4, 0), (5, 2), (6, 4), (7, 8), (13, 512), (14, 900), (10_000, 900)],
)
def test_the_wait_doubles_up_to_a_quarter_of_an_hour(failures: int, seconds: int) -> None:
    wait = passwords.block_after(failures)

    assert (0 if wait is None else wait.total_seconds()) == seconds


@pytest.mark.parametrize(
    "password", ["", "short", "aaaaaaaaaaaa", "Ann@Example.com", "x" * 201, "密码太短了"]
)
def test_weak_passwords_are_refused(password: str) -> None:
    with pytest.raises(WeakPasswordError):
        passwords.check_password(password, known=KNOWN)


@pytest.mark.parametrize("password", ["correct horse", "足够长的一个好密码呀", " spaces at both "])
def test_good_passwords_are_taken_as_they_are(password: str) -> None:
    passwords.check_password(password, known=KNOWN)

    stored = passwords.hash_password(password)

    assert stored.startswith("$argon2id$")
    assert passwords.is_right(password, stored)
    assert not passwords.is_right(password.strip() + "x", stored)


@pytest.mark.parametrize("stored", ["", "x", "$argon2id$", "$2b$12$abcdefghijklmnopqrstuv"])
def test_a_broken_hash_lets_nobody_in(stored: str) -> None:
    assert not passwords.is_right("anything", stored)


@pytest.mark.parametrize(
    ("text", "email"),
    [("Ann@Example.COM", "ann@example.com"), (" a.b+c@x.co ", "a.b+c@x.co"), ("王@例子.中国",) * 2],
)
def test_addresses_are_stored_in_one_form(text: str, email: str) -> None:
    assert passwords.read_email(text) == email


@pytest.mark.parametrize(
    "text",
    ["", "ann", "ann@", "@example.com", "a@b", "a b@c.de", "a@b@c.de", "a\n@b.cd", "a" * 260],
)
def test_other_texts_are_no_addresses(text: str) -> None:
    with pytest.raises(InvalidEmailError):
        passwords.read_email(text)

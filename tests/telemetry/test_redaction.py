"""What may stand in a log: secrets by name and by form, prompts, odd characters, long texts."""

import pytest
from typing_extensions import override

from gen_video.accounts.keys import make_key
from gen_video.telemetry.redaction import MASK, MAX_TEXT, escape, mask_secrets, redact


@pytest.mark.parametrize(
    "name",
    ["api_key", "API_KEY", "Authorization", "X-Api-Key", "cookie", "password", "secret", "token"],
)
@pytest.mark.parametrize("value", ["canary", 1234, ["canary"], {"a": "canary"}])
def test_fields_with_a_secret_name_are_masked(name: str, value: object) -> None:
    assert redact({name: value}) == {name: MASK}


def test_masking_reaches_into_nested_fields() -> None:
    event = {"request": {"headers": [{"authorization": "canary"}], "prompt": "canary"}}

    assert "canary" not in repr(redact(event))


@pytest.mark.parametrize("name", ["prompt", "negative_prompt", "user_text"])
def test_prompts_are_masked_unless_wanted(name: str) -> None:
    assert redact({name: "a lake"}) == {name: MASK}
    assert redact({name: "a lake"}, is_logging_prompts=True) == {name: "a lake"}
    nested = {"job": {name: "a lake"}}
    assert redact(nested, is_logging_prompts=True) == nested


def test_other_fields_keep_their_values_and_types() -> None:
    event = {"event": "job_finished", "seconds": 1.5, "n": 2, "is_new": True, "reason": None}

    assert redact(event) == event


def test_api_keys_are_masked_wherever_they_stand() -> None:
    key = make_key().plaintext
    other = key.replace("gv_live_", "gv_test_")

    class Holder:
        @override
        def __repr__(self) -> str:
            return f"<Holder {key}>"

    event = {
        "event": f"called with {key}",
        "path": f"/x?api_key={other}&y=1",
        "pair": (key, {"deep": [key]}),
        "object": Holder(),
        "bytes": key.encode(),
    }

    shown = repr(redact(event))

    assert key[20:] not in shown
    assert "gv_live_***" in shown
    assert "gv_test_***" in shown


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("Authorization: Bearer abcdefgh12345", "Authorization: Bearer ***"),
        ("basic dXNlcjpwYXNz", "basic ***"),
        (
            "postgresql+psycopg://gen:hunter2@db:5432/gen",
            "postgresql+psycopg://gen:***@db:5432/gen",
        ),
        ("redis://:hunter2@cache/0", "redis://:***@cache/0"),
        ("http://localhost:8000/a@b", "http://localhost:8000/a@b"),
        ("a bearer of news", "a bearer of news"),
        ("gv_jobs_total", "gv_jobs_total"),
    ],
)
def test_secrets_are_known_by_their_form(text: str, expected: str) -> None:
    assert mask_secrets(text) == expected


def test_an_object_with_a_broken_repr_does_not_cost_the_event() -> None:
    class Broken:
        @override
        def __repr__(self) -> str:
            raise RuntimeError

    assert redact({"value": Broken()}) == {"value": "<Broken>"}


def test_a_structure_without_end_is_cut_off() -> None:
    endless: dict[str, object] = {}
    endless["self"] = endless

    assert len(repr(redact(endless))) < 1000


def test_long_texts_are_shortened_in_the_middle() -> None:
    shown = redact({"reason": "a" * 10_000 + "the end"})["reason"]

    assert len(shown) < MAX_TEXT + 50
    assert shown.endswith("the end")


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("two\nlines\r", r"two\nlines\r"),
        ("\x1b[31mred", r"\u001b[31mred"),
        ("nul\x00", r"nul\u0000"),
        ("c1\x9b31m\x85", r"c1\u009b31m\u0085"),
        ("\u202etxt.exe", r"\u202etxt.exe"),
        ("\u2066\u2069\u200f\u061c", r"\u2066\u2069\u200f\u061c"),
        ("line\u2028para\u2029", r"line\u2028para\u2029"),
        ("zero\u200bwidth\ufeff", r"zero\u200bwidth\ufeff"),
        ("tag\U000e0041", r"tag\udb40\udc41"),
        ("lone\ud800", r"lone\ud800"),
        ("一个美丽的风景 🌄 é", "一个美丽的风景 🌄 é"),
    ],
)
def test_odd_characters_are_escaped_and_words_are_not(text: str, expected: str) -> None:
    assert escape(text) == expected

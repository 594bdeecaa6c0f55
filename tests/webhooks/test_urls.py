"""Where webhooks may be sent, as far as a URL alone tells."""

import pytest

from gen_video.egress.fetcher import UrlRefusedError
from gen_video.errors import InvalidRequestError
from gen_video.webhooks.urls import UrlRules

PUBLIC = UrlRules()
PLAIN = UrlRules(allow_http=True)
ANY = UrlRules(allow_private=True)
OFF = UrlRules(is_open=False)
GOOD = "https://example.com/hook"


@pytest.mark.parametrize(
    ("rules", "url"),
    [
        (PUBLIC, GOOD),
        (PUBLIC, "https://example.com:443/hook?token=1"),
        (PUBLIC, "HTTPS://EXAMPLE.COM"),
        (PUBLIC, "https://93.184.215.14/hook"),
        (PLAIN, "http://example.com/hook"),
        (PLAIN, GOOD),
        (ANY, "http://127.0.0.1:9999/hook"),
        (ANY, "http://192.168.1.5/hook"),
        (ANY, GOOD),
    ],
)
def test_allowed(rules: UrlRules, url: str) -> None:
    assert rules.parse(url).host


@pytest.mark.parametrize(
    ("rules", "url"),
    [
        (PUBLIC, "http://example.com/hook"),
        (PUBLIC, "http://example.com:443/hook"),
        (PUBLIC, "https://example.com:8443/hook"),
        (PUBLIC, "https://example.com:22/hook"),
        (PUBLIC, "https://user:secret@example.com/hook"),
        (PUBLIC, "https://127.0.0.1/hook"),
        (PUBLIC, "https://[::1]/hook"),
        (PUBLIC, "https://[::ffff:10.0.0.1]/hook"),
        (PUBLIC, "https://169.254.169.254/latest"),
        (PUBLIC, "https://100.64.0.1/hook"),
        (PUBLIC, "https://0x7f.1/hook"),
        (PUBLIC, "https://2130706433/hook"),
        (PUBLIC, "ftp://example.com/hook"),
        (PUBLIC, "javascript:alert(1)"),
        (PUBLIC, "example.com/hook"),
        (PUBLIC, ""),
        (PUBLIC, "https://"),
        (PUBLIC, "https://exa mple.com/"),
        (PUBLIC, f"https://example.com/{'x' * 2048}"),
        (PLAIN, "http://example.com:8080/hook"),
        (PLAIN, "http://10.0.0.1/hook"),
        (ANY, "http://169.254.169.254/latest"),
        (ANY, "ftp://example.com/hook"),
        (OFF, GOOD),
    ],
)
def test_refused(rules: UrlRules, url: str) -> None:
    with pytest.raises(UrlRefusedError):
        rules.parse(url)


def test_a_refusal_names_the_field_in_both_languages() -> None:
    with pytest.raises(InvalidRequestError) as refused:
        PUBLIC.require("https://10.0.0.1/", pointer="/webhook")

    (problem,) = refused.value.problems
    assert (problem.pointer, problem.code) == ("/webhook", "url_refused")
    assert "10.0.0.1" not in problem.en + problem.zh

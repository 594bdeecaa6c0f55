"""Targets: URLs that are taken, and the many spellings that are not."""

import pytest

from gen_video.egress.fetcher import UrlRefusedError
from gen_video.egress.targets import follow_redirect, parse_target

GOOD = {
    "http://example.com": ("http", "example.com", 80, "/"),
    "HTTPS://EXAMPLE.com/a?b=c#d": ("https", "example.com", 443, "/a?b=c"),
    "https://example.com./": ("https", "example.com", 443, "/"),
    "https://example.com:8443/x": ("https", "example.com", 8443, "/x"),
    "http://example.com:/": ("http", "example.com", 80, "/"),
    "http://my_bucket.example.com/": ("http", "my_bucket.example.com", 80, "/"),
    "https://münchen.example/": ("https", "xn--mnchen-3ya.example", 443, "/"),
    "https://例子。测试/图.png": ("https", "xn--fsqu00a.xn--0zwm56d", 443, "/%E5%9B%BE.png"),
    "https://example.com/a%20b?u=%2F": ("https", "example.com", 443, "/a%20b?u=%2F"),
    'https://example.com/"<>': ("https", "example.com", 443, "/%22%3C%3E"),
    "https://example.com?a=1": ("https", "example.com", 443, "/?a=1"),
    "http://93.184.215.14/": ("http", "93.184.215.14", 80, "/"),
    "http://93.184.215.14./": ("http", "93.184.215.14", 80, "/"),
    "http://[2606:4700:0::1111]:8080/": ("http", "2606:4700::1111", 8080, "/"),
    "http://\uff11\uff12\uff17.0.0.\uff11/": ("http", "127.0.0.1", 80, "/"),
}
BAD = (
    "",
    "example.com",
    "//example.com/",
    "http:example.com",
    "http:///x",
    "http://",
    "file:///etc/passwd",
    "ftp://example.com/",
    "gopher://example.com:80/_x",
    "data:image/png;base64,AAAA",
    "javascript:alert(1)",
    "unix:///var/run/docker.sock",
    "jar:http://example.com!/x",
    "http+unix://%2Fvar/x",
    "http://user@example.com/",
    "http://user:password@example.com/",
    "http://example.com@127.0.0.1/",
    "http://@example.com/",
    "http://example.com:22/",
    "http://example.com:0/",
    "http://example.com:65536/",
    "http://example.com:99999999/",
    "http://example.com:-80/",
    "http://example.com:80:80/",
    "http://example.com:\uff18\uff10/",
    "http://example.com:6379/",
    "http://0x7f.1/",
    "http://0x7f000001/",
    "http://0X7F.0.0.1/",
    "http://2130706433/",
    "http://017700000001/",
    "http://0177.0.0.1/",
    "http://127.1/",
    "http://127.0.1/",
    "http://0/",
    "http://127.0.0.1.2/",
    "http://256.0.0.1/",
    "http://127.0.0.0x1/",
    "http://example.0x/",
    "http://[::1/",
    "http://::1/",
    "http://[::1]x/",
    "http://[::1%25eth0]/",
    "http://[::1%eth0]/",
    "http://[v1.x]/",
    "http://[127.0.0.1]/",
    "http://[]/",
    "http://%31%32%37.0.0.1/",
    "http://exa%6dple.com/",
    "http://example..com/",
    "http://.example.com/",
    "http://-example.com/",
    "http://example.com-/",
    "http://exa mple.com/",
    "http://example.com /",
    " http://example.com/",
    "http://example.com/\r\nX: y",
    "http://example.com/\ta",
    "http://exam\nple.com/",
    "http://example.com\\@127.0.0.1/",
    "http://127.0.0.1\\.example.com/",
    "http:\\\\example.com/",
    "http://example.com\x00.evil/",
    "http://example.com\u2028/",
    "http://example.com/\ud800",
    "http://exa\u2100mple.com/",
    "http://example.com\uff0fa/",
    "http://exam!ple.com/",
    "http://" + "a" * 64 + ".com/",
    "http://" + "a." * 127 + "com/",
    "http://example.com/" + "a" * 5000,
)


@pytest.mark.parametrize(("url", "expected"), GOOD.items())
def test_a_url_is_taken_apart(url: str, expected: tuple[str, str, int, str]) -> None:
    target = parse_target(url)

    assert (target.scheme, target.host, target.port, target.path) == expected


@pytest.mark.parametrize("url", BAD)
def test_odd_urls_are_refused(url: str) -> None:
    with pytest.raises(UrlRefusedError) as refused:
        parse_target(url)

    assert (refused.value.code, refused.value.status) == ("url_refused", 422)
    for language in ("en", "zh"):
        assert "127.0.0.1" not in refused.value.message(language)


@pytest.mark.parametrize(
    ("url", "reason"),
    [
        ("file:///etc/passwd", "http://"),
        ("http://me:secret@example.com/", "password"),
        ("http://example.com:22/", "port"),
        ("http://example.com/a b", "spaces"),
        ("http://127.1/", "usual name"),
        ("http://example.com/" + "a" * 5000, "4096"),
    ],
)
def test_a_refusal_says_why_in_both_languages(url: str, reason: str) -> None:
    with pytest.raises(UrlRefusedError, match=reason) as refused:
        parse_target(url)

    assert refused.value.message("zh") != refused.value.message("en")
    assert "secret" not in refused.value.message("en") + refused.value.message("zh")


def test_other_ports_are_open_where_the_operator_says_so() -> None:
    assert parse_target("http://example.com:9000/", ports={9000}).port == 9000

    with pytest.raises(UrlRefusedError):
        parse_target("http://example.com/", ports={9000})


@pytest.mark.parametrize(
    ("url", "expected"),
    [
        ("http://example.com/", "example.com"),
        ("http://example.com:80/", "example.com"),
        ("https://example.com:80/", "example.com:80"),
        ("http://[2606:4700::1]/", "[2606:4700::1]"),
        ("https://[2606:4700::1]:8443/", "[2606:4700::1]:8443"),
    ],
)
def test_the_host_header_is_the_hosts(url: str, expected: str) -> None:
    assert parse_target(url).host_header == expected


@pytest.mark.parametrize(
    ("location", "expected"),
    [
        ("/b", ("https", "example.com", 8443, "/b")),
        ("b?c", ("https", "example.com", 8443, "/x/b?c")),
        ("//other.example/b", ("https", "other.example", 443, "/b")),
        ("https://other.example/b#c", ("https", "other.example", 443, "/b")),
    ],
)
def test_a_redirect_is_read_against_its_page(
    location: str, expected: tuple[str, str, int, str]
) -> None:
    target = follow_redirect(parse_target("https://example.com:8443/x/y"), location)

    assert (target.scheme, target.host, target.port, target.path) == expected


@pytest.mark.parametrize(
    "location",
    [
        "http://example.com/",
        "file:///etc/passwd",
        "https://u:p@example.com/",
        "https://example.com:22/",
        "https://[::1",
        "https://2130706433/",
        "\\\\example.com/",
    ],
)
def test_a_redirect_is_checked_like_any_url(location: str) -> None:
    with pytest.raises(UrlRefusedError):
        follow_redirect(parse_target("https://example.com/"), location)

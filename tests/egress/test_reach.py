"""Where the client goes: one look-up, every address checked, every hop checked again."""

import socket

import pytest

from gen_video.egress.fetch import EgressClient
from gen_video.egress.fetcher import Fetched, UrlRefusedError, UrlUnreachableError
from gen_video.egress.way import Way
from tests.egress.internet import EVERY_PORT, OTHER_PUBLIC, PUBLIC, Internet
from tests.egress.servers import redirect, response, serve

NAME = "pictures.example"
ANSWERS = {"/": response(b"picture"), "/moved": redirect("/")}


def fetch(client: EgressClient, url: str) -> Fetched:
    return client.fetch(url, max_bytes=1000, accept=("image/png",))


def test_a_rebinding_name_is_looked_up_once() -> None:
    """The second look-up of the name would give loopback; there is none."""
    internet = Internet(names={NAME: [[PUBLIC], ["127.0.0.1"]]})
    with serve(ANSWERS) as served:
        internet.port = served.port
        assert fetch(internet.client(), f"http://{NAME}/").data == b"picture"

    assert internet.looked_up == [NAME]
    assert internet.connected == [PUBLIC]
    assert f"\r\nHost: {NAME}\r\n" in served.heads[0]


def test_a_name_that_rebinds_between_hops_is_refused() -> None:
    internet = Internet(names={NAME: [[PUBLIC], ["127.0.0.1"]]})
    with serve(ANSWERS) as served:
        internet.port = served.port
        with pytest.raises(UrlRefusedError):
            fetch(internet.client(), f"http://{NAME}/moved")

    assert internet.connected == [PUBLIC]
    assert served.paths == ["/moved"]


@pytest.mark.parametrize(
    "addresses",
    [
        ["127.0.0.1"],
        ["169.254.169.254"],
        ["::ffff:127.0.0.1"],
        ["64:ff9b::7f00:1"],
        ["2002:7f00:1::1"],
        ["fe80::1%eth0"],
        [PUBLIC, "10.0.0.1"],
        ["10.0.0.1", PUBLIC],
        [PUBLIC, OTHER_PUBLIC, "::1"],
        [*[f"93.184.215.{last}" for last in range(1, 9)], "192.168.0.1"],
        ["not an address"],
    ],
)
def test_one_address_that_is_not_public_spoils_the_name(addresses: list[str]) -> None:
    internet = Internet(names={NAME: [addresses]})

    with pytest.raises(UrlRefusedError) as refused:
        fetch(internet.client(), f"https://{NAME}/")

    assert internet.connected == []
    for language in ("en", "zh"):
        assert not any(address in refused.value.message(language) for address in addresses)


@pytest.mark.parametrize(
    "location",
    [
        "http://127.0.0.1/secret",
        "http://169.254.169.254/latest/meta-data/",
        "http://[::1]/secret",
        "http://[::ffff:7f00:1]/secret",
        "http://0x7f.1/secret",
        "http://internal.example/secret",
        "//internal.example/secret",
        "http://user@pictures.example/secret",
        "http://pictures.example:6379/secret",
        "file:///etc/passwd",
    ],
)
def test_a_redirect_to_what_is_not_public_is_refused(location: str) -> None:
    internet = Internet(names={NAME: [[PUBLIC]], "internal.example": [["10.0.0.7"]]})
    with serve({"/": redirect(location), "/secret": response(b"key")}) as served:
        internet.port = served.port
        with pytest.raises(UrlRefusedError):
            fetch(internet.client(), f"http://{NAME}/")

    assert served.paths == ["/"]
    assert internet.connected == [PUBLIC]


@pytest.mark.parametrize("status", ["301 M", "302 F", "303 S", "307 T", "308 P"])
def test_three_redirects_are_followed(status: str) -> None:
    internet = Internet(names={NAME: [[PUBLIC]], "other.example": [[OTHER_PUBLIC]]})
    answers = {
        "/1": redirect("http://other.example/2", status=status),
        "/2": redirect("3", status=status),
        "/3": redirect(f"//{NAME}/4", status=status),
        "/4": response(b"picture"),
    }
    with serve(answers) as served:
        internet.port = served.port
        assert fetch(internet.client(), f"http://{NAME}/1").data == b"picture"

    assert served.paths == ["/1", "/2", "/3", "/4"]
    assert internet.looked_up == [NAME, "other.example", "other.example", NAME]


def test_a_fourth_redirect_is_not() -> None:
    internet = Internet(names={NAME: [[PUBLIC]]})
    with serve({"/": redirect("/")}) as served:
        internet.port = served.port
        with pytest.raises(UrlUnreachableError, match="redirects"):
            fetch(internet.client(), f"http://{NAME}/")

    assert served.paths == ["/"] * 4


def test_a_redirect_that_leads_nowhere_is_a_status() -> None:
    internet = Internet(names={NAME: [[PUBLIC]]})
    with serve({"/": response(status="302 Found")}) as served:
        internet.port = served.port
        with pytest.raises(UrlUnreachableError, match="302"):
            fetch(internet.client(), f"http://{NAME}/")


def test_an_address_that_is_dead_is_passed_over() -> None:
    internet = Internet(names={NAME: [[OTHER_PUBLIC, PUBLIC, PUBLIC]]}, dead={OTHER_PUBLIC})
    with serve(ANSWERS) as served:
        internet.port = served.port
        fetch(internet.client(), f"http://{NAME}/")

    assert internet.connected == [OTHER_PUBLIC, PUBLIC]


def test_a_host_of_many_dead_addresses_is_given_up() -> None:
    addresses = [f"93.184.215.{last}" for last in range(1, 100)]
    internet = Internet(names={NAME: [addresses]}, dead=set(addresses))

    with pytest.raises(UrlUnreachableError):
        fetch(internet.client(), f"http://{NAME}/")

    assert internet.connected == addresses[:4]


@pytest.mark.parametrize("names", [{}, {NAME: [[]]}])
def test_a_name_without_addresses_is_unreachable(names: dict[str, list[list[str]]]) -> None:
    with pytest.raises(UrlUnreachableError, match="does not exist"):
        fetch(Internet(names=names).client(), f"http://{NAME}/")


def test_a_literal_address_is_not_looked_up() -> None:
    internet = Internet(names={})
    with serve(ANSWERS) as served:
        internet.port = served.port
        fetch(internet.client(), f"http://[{OTHER_PUBLIC}]:8080/")

    assert internet.looked_up == []
    assert internet.connected == [OTHER_PUBLIC]
    assert f"\r\nHost: [{OTHER_PUBLIC}]:8080\r\n" in served.heads[0]


@pytest.mark.parametrize(
    "url",
    ["http://127.0.0.1:{port}/", "http://localhost:{port}/", "http://[::ffff:7f00:1]:{port}/"],
)
def test_loopback_is_for_the_operator_to_open(url: str) -> None:
    with serve(ANSWERS) as served:
        url = url.format(port=served.port)
        opened = EgressClient(Way(allow_private=True), ports=EVERY_PORT)
        closed = EgressClient(ports=EVERY_PORT)

        assert fetch(opened, url).data == b"picture"
        with pytest.raises(UrlRefusedError):
            fetch(closed, url)

    assert served.paths == ["/"]


@pytest.mark.parametrize("host", ["169.254.169.254", "[fe80::1]", "[fd00:ec2::254]", "[::]"])
def test_metadata_stays_closed_where_private_is_open(host: str) -> None:
    internet = Internet(names={})
    client = EgressClient(Way(allow_private=True, connect=internet.connect))

    with pytest.raises(UrlRefusedError):
        fetch(client, f"http://{host}/")

    assert internet.connected == []


def test_no_proxy_of_the_environment_is_asked(monkeypatch: pytest.MonkeyPatch) -> None:
    with serve({}) as proxy, serve(ANSWERS) as served:
        for variable in ("http_proxy", "HTTP_PROXY", "https_proxy", "ALL_PROXY", "all_proxy"):
            monkeypatch.setenv(variable, f"http://127.0.0.1:{proxy.port}")
        monkeypatch.delenv("no_proxy", raising=False)
        monkeypatch.delenv("NO_PROXY", raising=False)
        client = EgressClient(Way(allow_private=True), ports=EVERY_PORT)

        assert fetch(client, f"http://127.0.0.1:{served.port}/").data == b"picture"

    assert proxy.heads == []


def test_a_closed_port_is_unreachable() -> None:
    with socket.socket() as unused:
        unused.bind(("127.0.0.1", 0))
        client = EgressClient(Way(allow_private=True), ports=EVERY_PORT)

        with pytest.raises(UrlUnreachableError, match="connection failed"):
            fetch(client, f"http://127.0.0.1:{unused.getsockname()[1]}/")

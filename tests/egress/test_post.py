"""Posting: the rules of fetching, and an answer is its status."""

import pytest

from gen_video.egress.addresses import parse_address
from gen_video.egress.exchange import Posted
from gen_video.egress.fetcher import UrlRefusedError, UrlUnreachableError
from gen_video.egress.post import EgressPoster
from gen_video.egress.targets import parse_target
from gen_video.egress.way import Way
from tests.egress.internet import EVERY_PORT, PUBLIC, Internet
from tests.egress.servers import redirect, response, serve

NAME = "hooks.example"
HEADERS = [("Content-Type", "application/json"), ("webhook-id", "evt_1")]
BODY = b'{"type":"job.succeeded"}'


def post(internet: Internet, url: str = f"http://{NAME}/hook?a=1") -> Posted:
    poster = EgressPoster(Way(resolve=internet.resolve, connect=internet.connect))
    return poster.post(parse_target(url, ports=EVERY_PORT), BODY, HEADERS)


def test_a_body_arrives_with_its_headers_at_an_address_that_was_checked() -> None:
    internet = Internet(names={NAME: [[PUBLIC], ["127.0.0.1"]]})
    with serve({"/hook?a=1": response(status="202 Accepted", retry_after="7")}) as served:
        internet.port = served.port
        answer = post(internet)

    assert answer == Posted(status_code=202, retry_after="7")
    (head,) = served.heads
    assert head.startswith("POST /hook?a=1 HTTP/1.1\r\n")
    for line in (f"Host: {NAME}", "webhook-id: evt_1", f"Content-Length: {len(BODY)}"):
        assert f"\r\n{line}\r\n" in head
    assert (internet.looked_up, internet.connected) == ([NAME], [PUBLIC])


@pytest.mark.parametrize("status", ["301 Moved", "302 Found", "307 Later", "308 Moved"])
def test_a_redirect_is_an_answer_like_any_other(status: str) -> None:
    internet = Internet(names={NAME: [[PUBLIC]]})
    answers = {"/hook?a=1": redirect("/elsewhere", status=status), "/elsewhere": response()}
    with serve(answers) as served:
        internet.port = served.port
        answer = post(internet)

    assert answer.status_code == int(status[:3])
    assert served.paths == ["/hook?a=1"]


@pytest.mark.parametrize(
    "addresses",
    [
        ["127.0.0.1"],
        ["10.0.0.1"],
        ["169.254.169.254"],
        ["100.64.0.1"],
        ["::1"],
        ["::ffff:127.0.0.1"],
        ["64:ff9b::7f00:1"],
        ["2002:7f00:1::1"],
        [PUBLIC, "192.168.0.1"],
    ],
)
def test_an_address_that_is_not_public_is_never_connected_to(addresses: list[str]) -> None:
    internet = Internet(names={NAME: [addresses]})

    with pytest.raises(UrlRefusedError):
        post(internet)

    assert internet.connected == []


@pytest.mark.parametrize(
    ("names", "dead", "kind"),
    [
        ({}, set(), "name_not_found"),
        ({NAME: [[PUBLIC]]}, {PUBLIC}, "connection_failed"),
    ],
)
def test_what_fails_has_a_stable_word(
    names: dict[str, list[list[str]]], dead: set[str], kind: str
) -> None:
    with pytest.raises(UrlUnreachableError) as unreachable:
        post(Internet(names=names, dead=dead))

    assert unreachable.value.facts["kind"] == kind


def test_looking_up_refuses_what_is_inside_and_passes_over_what_is_not_there() -> None:
    internet = Internet(names={"inside.example": [["10.0.0.1"]], NAME: [[PUBLIC]]})
    poster = EgressPoster(Way(resolve=internet.resolve, connect=internet.connect))

    with pytest.raises(UrlRefusedError):
        poster.look_up(parse_target("https://inside.example/"))
    poster.look_up(parse_target(f"https://{NAME}/"))
    poster.look_up(parse_target("https://nobody.example/"))

    assert internet.connected == []


def test_private_addresses_are_reached_only_where_the_operator_says_so() -> None:
    internet = Internet(names={NAME: [["10.0.0.1"]], "metadata.example": [["169.254.169.254"]]})
    poster = EgressPoster(
        Way(allow_private=True, resolve=internet.resolve, connect=internet.connect)
    )
    with serve({"/": response()}) as served:
        internet.port = served.port
        assert poster.post(parse_target(f"http://{NAME}/"), BODY, HEADERS).status_code == 200
    with pytest.raises(UrlRefusedError):
        poster.post(parse_target("http://metadata.example/"), BODY, HEADERS)

    assert internet.connected == [str(parse_address("10.0.0.1"))]

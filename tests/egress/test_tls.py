"""TLS: the certificate is checked against the URL's name, whatever address was connected to."""

import shutil
import socket
import ssl
import subprocess
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path

import pytest

from gen_video.egress.fetch import EgressClient
from gen_video.egress.fetcher import UrlRefusedError, UrlUnreachableError
from gen_video.egress.post import EgressPoster
from gen_video.egress.targets import parse_target
from gen_video.egress.way import Way, create_ssl_context
from tests.egress.internet import EVERY_PORT, PUBLIC, Internet
from tests.egress.servers import Served, redirect, response, serve

NAME = "pictures.example"
OPENSSL = shutil.which("openssl")
needs_openssl = pytest.mark.skipif(OPENSSL is None, reason="openssl is not installed")


@pytest.fixture(scope="session")
def certificate(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Return a file with a self-signed certificate for one name, and its key."""
    folder = tmp_path_factory.mktemp("tls")
    options = (
        f"req -x509 -newkey ec -pkeyopt ec_paramgen_curve:prime256v1 -nodes -days 2"
        f" -subj /CN={NAME} -addext subjectAltName=DNS:{NAME} -keyout key -out certificate"
    )
    subprocess.run(
        [OPENSSL or "openssl", *options.split()], cwd=folder, check=True, capture_output=True
    )
    both = folder / "both"
    both.write_text((folder / "key").read_text() + (folder / "certificate").read_text())
    return both


@contextmanager
def serve_tls(certificate: Path, names_asked: list[str | None]) -> Iterator[Served]:
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(certificate)
    context.sni_callback = lambda _socket, name, _context: names_asked.append(name)
    answers = {"/": response(b"picture"), "/down": redirect(f"http://{NAME}/")}
    with serve(answers, context=context) as served:
        yield served


def trusting(certificate: Path, internet: Internet) -> EgressClient:
    context = ssl.create_default_context(cafile=str(certificate))
    return EgressClient(
        Way(ssl_context=context, resolve=internet.resolve, connect=internet.connect)
    )


@needs_openssl
def test_a_trusted_certificate_of_the_name_is_taken(certificate: Path) -> None:
    names_asked: list[str | None] = []
    with serve_tls(certificate, names_asked) as served:
        internet = Internet(names={NAME: [[PUBLIC]]}, port=served.port)

        fetched = trusting(certificate, internet).fetch(
            f"https://{NAME}/", max_bytes=100, accept=("image/png",)
        )

    assert fetched.data == b"picture"
    assert names_asked == [NAME]
    assert internet.connected == [PUBLIC]


@needs_openssl
@pytest.mark.parametrize("host", ["other.example", PUBLIC])
def test_a_certificate_of_another_name_is_not(certificate: Path, host: str) -> None:
    with serve_tls(certificate, []) as served:
        internet = Internet(names={host: [[PUBLIC]]}, port=served.port)

        with pytest.raises(UrlUnreachableError, match="certificate"):
            trusting(certificate, internet).fetch(
                f"https://{host}/", max_bytes=100, accept=("image/png",)
            )

    assert served.heads == []


@needs_openssl
def test_a_certificate_that_nobody_signed_is_not(certificate: Path) -> None:
    with serve_tls(certificate, []) as served:
        client = Internet(names={NAME: [[PUBLIC]]}, port=served.port).client()

        with pytest.raises(UrlUnreachableError, match="certificate"):
            client.fetch(f"https://{NAME}/", max_bytes=100, accept=("image/png",))

    assert served.heads == []


@needs_openssl
def test_a_redirect_from_https_to_http_is_refused(certificate: Path) -> None:
    with serve_tls(certificate, []) as served:
        internet = Internet(names={NAME: [[PUBLIC]]}, port=served.port)

        with pytest.raises(UrlRefusedError, match="plain http"):
            trusting(certificate, internet).fetch(
                f"https://{NAME}/down", max_bytes=100, accept=("image/png",)
            )

    assert served.paths == ["/down"]


def test_certificates_and_names_are_checked_unless_told_otherwise() -> None:
    context = create_ssl_context()

    assert context.verify_mode is ssl.CERT_REQUIRED
    assert context.check_hostname
    assert context.minimum_version >= ssl.TLSVersion.TLSv1_2
    assert context.get_ca_certs()


def test_a_server_that_speaks_no_tls_is_unreachable() -> None:
    with serve({"/": response(b"picture")}) as served, pytest.raises(UrlUnreachableError):
        EgressClient(Way(allow_private=True), ports=EVERY_PORT, deadline_seconds=0.5).fetch(
            f"https://127.0.0.1:{served.port}/", max_bytes=100, accept=("image/png",)
        )


def test_the_deadline_holds_for_a_handshake_that_never_ends() -> None:
    client = EgressClient(Way(allow_private=True), ports=EVERY_PORT, deadline_seconds=0.3)
    started = time.monotonic()
    with socket.create_server(("127.0.0.1", 0)) as silent:
        url = f"https://127.0.0.1:{silent.getsockname()[1]}/"
        with pytest.raises(UrlUnreachableError, match="too long"):
            client.fetch(url, max_bytes=1, accept=("*/*",))

    assert time.monotonic() - started < 20


@needs_openssl
def test_a_body_is_posted_only_under_a_trusted_certificate(certificate: Path) -> None:
    target = parse_target(f"https://{NAME}/")
    with serve_tls(certificate, []) as served:
        internet = Internet(names={NAME: [[PUBLIC]]}, port=served.port)
        trusted = ssl.create_default_context(cafile=str(certificate))
        way = Way(resolve=internet.resolve, connect=internet.connect)
        answer = EgressPoster(replace(way, ssl_context=trusted)).post(target, b"secret", [])
        with pytest.raises(UrlUnreachableError) as unreachable:
            EgressPoster(way).post(target, b"secret", [])

    assert answer.status_code == 200
    assert unreachable.value.facts["kind"] == "tls_failed"
    assert len(served.heads) == 1

"""A real S3 server on loopback, in this process: buckets of their own for tests, and its log.

It is moto behind one lock: a conditional write is one step there, as it is in S3.
"""

import threading
import uuid
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from functools import cache
from urllib.request import Request, urlopen
from wsgiref.types import StartResponse, WSGIEnvironment

from moto.moto_server.werkzeug_app import DomainDispatcherApplication, create_backend_app
from typing_extensions import override
from werkzeug.serving import WSGIRequestHandler, make_server

from gen_video.storage.s3 import S3ObjectStore
from gen_video.storage.s3_clients import BucketAddress, Patience

ACCESS_KEY, SECRET_KEY = "test-access-key", "test-secret-key"
IMPATIENT = Patience(
    connect_seconds=0.5,
    answer_seconds=0.6,
    upload_seconds=0.8,
    upload_bytes_per_second=100 * 2**20,
    retries=1,
    retry_seconds=0.5,
)


@dataclass(kw_only=True)
class BucketServer:
    """A running server, and which requests it got.

    Attributes:
        refused: Requests that were refused once, while that is wanted.
        is_down: Whether every request is refused.
    """

    url: str = ""
    requests: list[str] = field(default_factory=list)
    refused: set[str] | None = None
    is_down: bool = False

    def make_bucket(self) -> str:
        """Make an empty bucket and return its name."""
        name = f"test-{uuid.uuid4().hex}"
        with urlopen(Request(f"{self.url}/{name}", method="PUT"), timeout=10):  # noqa: S310 - loopback
            return name

    def address(self, bucket: str, prefix: str = "some/prefix") -> BucketAddress:
        """Return where a bucket is and the keys to it."""
        return BucketAddress(
            bucket=bucket,
            prefix=prefix,
            endpoint=self.url,
            access_key_id=ACCESS_KEY,
            secret_access_key=SECRET_KEY,
        )

    def fresh_store(self) -> S3ObjectStore:
        """Return a store in a bucket of its own."""
        return S3ObjectStore(self.address(self.make_bucket()))

    @contextmanager
    def logged(self) -> Iterator[list[str]]:
        """Give the methods of the requests that come while the block runs."""
        start = len(self.requests)
        methods: list[str] = []
        yield methods
        methods += [line.split(" ")[0] for line in self.requests[start:]]

    @contextmanager
    def down(self) -> Iterator[None]:
        """Refuse every request while the block runs."""
        self.is_down = True
        try:
            yield
        finally:
            self.is_down = False

    @contextmanager
    def hiccups(self) -> Iterator[set[str]]:
        """Refuse every request once while the block runs; give those that were."""
        self.refused = set()
        try:
            yield self.refused
        finally:
            self.refused = None


class _QuietHandler(WSGIRequestHandler):
    @override
    def log(self, type: str, message: str, *args: object) -> None:
        """Say nothing."""


@cache
def bucket_server() -> BucketServer:
    """Return the server of this process; it starts at the first call and ends with the process."""
    served = BucketServer()
    application = DomainDispatcherApplication(create_backend_app)
    lock = threading.Lock()

    def handle(environment: WSGIEnvironment, start_response: StartResponse) -> Iterable[bytes]:
        line = f"{environment['REQUEST_METHOD']} {environment['PATH_INFO']}"
        served.requests.append(line)
        is_first = served.refused is not None and line not in served.refused
        if served.refused is not None:
            served.refused.add(line)
        if served.is_down or is_first:
            environment["wsgi.input"].read(int(environment.get("CONTENT_LENGTH") or 0))
            start_response("503 Slow Down", [("Content-Length", "0")])
            return []
        with lock:
            return list(application(environment, start_response))

    server = make_server("127.0.0.1", 0, handle, threaded=True, request_handler=_QuietHandler)
    threading.Thread(target=server.serve_forever, name="buckets", daemon=True).start()
    served.url = f"http://127.0.0.1:{server.port}"
    return served

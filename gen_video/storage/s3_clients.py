"""Clients of one bucket: its address, whose keys, and how long each kind of call may take.

A request has one time limit from its first byte to its last, so calls, downloads and uploads of
different sizes need clients of their own; each keeps its connections.
"""

import math
import re
from dataclasses import dataclass
from datetime import timedelta
from typing import TYPE_CHECKING
from urllib.parse import urlsplit

from obstore.store import S3Store
from typing_extensions import override

from gen_video.errors import ServiceError

if TYPE_CHECKING:
    from obstore.store import ClientConfig, RetryConfig, S3Config, S3Credential

NO_LIMIT_SECONDS = 86_400.0
_BUCKET = re.compile(r"[a-z0-9][a-z0-9.-]{1,61}[a-z0-9]")
_PREFIX = re.compile(r"[A-Za-z0-9!_.*'()-]+(?:/[A-Za-z0-9!_.*'()-]+)*")
_HOST_CHARACTERS = re.compile(r"[A-Za-z0-9.:\[\]-]+")


class StorageSettingError(ServiceError):
    """The settings name no store."""

    code = "storage_setting_invalid"
    message_en = "{name} is wrong: {reason}"
    message_zh = "{name} 有误：{reason}"

    def __init__(self, name: str, reason: str) -> None:
        super().__init__(name=f"GEN_VIDEO_{name}", reason=reason)


@dataclass(frozen=True, slots=True, kw_only=True)
class Patience:
    """How long a store that does not answer is waited for.

    Attributes:
        connect_seconds: For a connection with TLS.
        answer_seconds: For the answer to a call, and for each next piece of a download.
        upload_seconds: For an upload, plus what its bytes take at `upload_bytes_per_second`.
        retries: More tries after 5xx answers, broken connections and, for reads, timeouts.
        retry_seconds: Since the first try, after which none is begun.
    """

    connect_seconds: float = 2.0
    answer_seconds: float = 5.0
    upload_seconds: float = 10.0
    upload_bytes_per_second: int = 2 * 2**20
    retries: int = 2
    retry_seconds: float = 3.0


@dataclass(frozen=True, slots=True, kw_only=True)
class BucketAddress:
    """Where a bucket is and whose keys open it.

    Attributes:
        prefix: Of every key, without slashes at its ends; may be empty.
        endpoint: URL of an S3-compatible server; empty: Amazon's, or the environment's.
        access_key_id: Empty: the machine's environment or role.
    """

    bucket: str
    prefix: str
    endpoint: str = ""
    region: str = "us-east-1"
    access_key_id: str = ""
    secret_access_key: str = ""

    @override
    def __repr__(self) -> str:
        return f"BucketAddress({self.bucket!r}, {self.prefix!r})"  # the secret stays out of logs

    def __post_init__(self) -> None:
        """Check what only the operator can mend.

        Raises:
            StorageSettingError: A part is wrong.
        """
        if bool(self.access_key_id) != bool(self.secret_access_key):
            raise StorageSettingError(
                "S3_ACCESS_KEY_ID", "set it and GEN_VIDEO_S3_SECRET_ACCESS_KEY, or neither"
            )
        if self.endpoint and not _is_endpoint(self.endpoint):
            raise StorageSettingError("S3_ENDPOINT", "write it like https://minio.example:9000")


def parse_storage_url(url: str) -> tuple[str, str]:
    """Return bucket and prefix of an address such as `s3://bucket/prefix`.

    Raises:
        StorageSettingError: It is none.
    """
    scheme, separator, rest = url.partition("://")
    if scheme.lower() != "s3" or not separator:
        raise StorageSettingError(
            "STORAGE_URL", "only s3://bucket/prefix is known; empty: a folder"
        )
    bucket, _, prefix = rest.partition("/")
    prefix = prefix.strip("/")
    if _BUCKET.fullmatch(bucket) is None or ".." in bucket:
        raise StorageSettingError("STORAGE_URL", "a bucket has 3 to 63 of a-z, 0-9, '-' and '.'")
    parts = prefix.split("/")
    if prefix and (_PREFIX.fullmatch(prefix) is None or {".", ".."} & set(parts)):
        raise StorageSettingError("STORAGE_URL", "a prefix has letters, digits and - _ . only")
    return bucket, prefix


class BucketClients:
    """Makes the clients of a bucket and keeps them.

    Attributes:
        calls: For everything without a large body.
        downloads: Bounded for each piece only: a slow reader of a large file is fine.
    """

    def __init__(self, address: BucketAddress, patience: Patience) -> None:
        self._address = address
        self._patience = patience
        self._uploads: dict[int, S3Store] = {}
        self.calls = self._build(patience.answer_seconds)
        self.downloads = self._build(NO_LIMIT_SECONDS)

    def upload(self, size_bytes: int) -> S3Store:
        """Return the client for a body of this size; doubling limits keep their number small."""
        patience = self._patience
        needed = patience.upload_seconds + size_bytes / patience.upload_bytes_per_second
        doublings = max(0, math.ceil(math.log2(needed / patience.upload_seconds)))
        client = self._uploads.get(doublings)
        if client is None:
            client = self._build(patience.upload_seconds * 2**doublings, is_upload=True)
            self._uploads[doublings] = client
        return client

    def _build(self, timeout_seconds: float, *, is_upload: bool = False) -> S3Store:
        address, patience = self._address, self._patience
        options: ClientConfig = {
            "allow_http": address.endpoint.lower().startswith("http://"),
            "connect_timeout": timedelta(seconds=patience.connect_seconds),
            "timeout": timedelta(seconds=timeout_seconds),
        }
        if not is_upload:  # this limit does not start anew while a body is being sent
            options["read_timeout"] = timedelta(seconds=patience.answer_seconds)
        return S3Store(
            address.bucket,
            prefix=address.prefix or None,
            config=_config(address),
            client_options=options,
            retry_config=_retry(patience),
            # Not part of the configuration: there a session token of the environment, meant for
            # other keys, would be sent along with these.
            credential_provider=_Keys(address) if address.access_key_id else None,
        )


class _Keys:
    """Gives the operator's keys to the client."""

    def __init__(self, address: BucketAddress) -> None:
        self._address = address

    def __call__(self) -> "S3Credential":
        return {
            "access_key_id": self._address.access_key_id,
            "secret_access_key": self._address.secret_access_key,
            "token": None,
            "expires_at": None,
        }


def _config(address: BucketAddress) -> "S3Config":
    # Deleting one by one: the bulk call is not understood by every compatible server.
    config: S3Config = {"region": address.region, "disable_bulk_delete": True}
    if address.endpoint:
        endpoint = address.endpoint.rstrip("/")
        host = urlsplit(endpoint).hostname or ""
        config["endpoint"] = config["aws_endpoint_url_s3"] = endpoint
        # Servers that know no other style are given with the bucket in their name.
        config["virtual_hosted_style_request"] = host.startswith(f"{address.bucket}.")
    return config


def _retry(patience: Patience) -> "RetryConfig":
    return {
        "max_retries": patience.retries,
        "retry_timeout": timedelta(seconds=patience.retry_seconds),
        "backoff": {
            "init_backoff": timedelta(milliseconds=100),
            "max_backoff": timedelta(seconds=1),
            "base": 2,
        },
    }


def _is_endpoint(text: str) -> bool:
    try:
        parts = urlsplit(text)
        port = parts.port
    except ValueError:
        return False
    has_more = parts.query or parts.fragment or parts.path.strip("/")
    return (
        parts.scheme.lower() in {"http", "https"}
        and _HOST_CHARACTERS.fullmatch(parts.netloc) is not None
        and bool(parts.hostname)
        and port != 0
        and not has_more
    )

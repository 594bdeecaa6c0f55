"""What an operator may write as the address of a bucket."""

import pytest

from gen_video.storage.objects import object_key
from gen_video.storage.s3 import S3ObjectStore
from gen_video.storage.s3_clients import (
    BucketAddress,
    BucketClients,
    Patience,
    StorageSettingError,
    parse_storage_url,
)

KEY = object_key("job_0123456789abcdefghijAB", fence=1, index=0, extension="png")


@pytest.mark.parametrize(
    ("url", "expected"),
    [
        ("s3://bucket", ("bucket", "")),
        ("s3://bucket/", ("bucket", "")),
        ("s3://my.bucket-1/some/prefix/", ("my.bucket-1", "some/prefix")),
        ("S3://bucket/prefix", ("bucket", "prefix")),
    ],
)
def test_an_address_names_bucket_and_prefix(url: str, expected: tuple[str, str]) -> None:
    assert parse_storage_url(url) == expected


@pytest.mark.parametrize(
    "url",
    [
        *("outputs", "/var/files", "file:///var/files", "https://bucket", "gs://bucket"),
        *("s3:bucket", "s3://", "s3://ab", "s3://Bucket", "s3://buc..ket", "s3://bucket?x=1"),
        *("s3://key:no@bucket", "s3://bucket/a//b", "s3://bucket/../b", "s3://bucket/a b"),
        *("s3://bucket/%2e", "s3:///prefix"),
    ],
)
def test_what_is_no_address_of_a_bucket_is_refused(url: str) -> None:
    with pytest.raises(StorageSettingError, match="GEN_VIDEO_STORAGE_URL"):
        parse_storage_url(url)


@pytest.mark.parametrize(
    "endpoint",
    [
        *("minio:9000", "ftp://minio", "http://", "http://user:secret@minio"),
        *("http://minio/path", "http://minio?x", "http://minio:0", "http://minio:99999"),
        "http://mi nio",
    ],
)
def test_what_is_no_endpoint_is_refused(endpoint: str) -> None:
    with pytest.raises(StorageSettingError, match="GEN_VIDEO_S3_ENDPOINT"):
        BucketAddress(bucket="bucket", prefix="", endpoint=endpoint)


@pytest.mark.parametrize(("key_id", "secret"), [("id", ""), ("", "secret")])
def test_half_a_pair_of_keys_is_refused(key_id: str, secret: str) -> None:
    with pytest.raises(StorageSettingError, match="GEN_VIDEO_S3_ACCESS_KEY_ID"):
        BucketAddress(bucket="bucket", prefix="", access_key_id=key_id, secret_access_key=secret)


@pytest.mark.parametrize(
    ("endpoint", "expected"),
    [
        ("", "https://s3.eu-west-1.amazonaws.com/bucket/some/objects/"),
        ("http://minio:9000", "http://minio:9000/bucket/some/objects/"),
        ("https://bucket.store.example/", "https://bucket.store.example/some/objects/"),
    ],
)
def test_the_bucket_is_in_the_path_unless_the_endpoint_names_it(
    endpoint: str, expected: str
) -> None:
    address = BucketAddress(
        bucket="bucket",
        prefix="some",
        endpoint=endpoint,
        region="eu-west-1",
        access_key_id="key-id",
        secret_access_key="secret",
    )

    url = S3ObjectStore(address).download_url(KEY, seconds=60)

    assert url is not None
    assert url.startswith(expected)
    assert "%2Feu-west-1%2Fs3%2F" in url
    assert "X-Amz-Expires=60&" in url


def test_the_keys_of_the_settings_do_not_mix_with_the_environments(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """A session token beside keys it does not belong to has every request refused."""
    for name in ("AWS_SESSION_TOKEN", "AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY"):
        monkeypatch.setenv(name, "of-the-environment")
    monkeypatch.setenv("AWS_ENDPOINT_URL_S3", "http://elsewhere:1")
    address = BucketAddress(
        bucket="bucket",
        prefix="",
        endpoint="http://minio:9000",
        access_key_id="key-id",
        secret_access_key="secret",
    )

    url = S3ObjectStore(address).download_url(KEY, seconds=60) or ""

    assert url.startswith("http://minio:9000/bucket/objects/")
    assert "X-Amz-Credential=key-id%2F" in url
    assert "environment" not in url
    assert "Token" not in url


def test_an_address_does_not_show_its_secret() -> None:
    address = BucketAddress(
        bucket="bucket", prefix="", access_key_id="key-id", secret_access_key="top-secret"
    )

    assert "secret" not in repr(address)


def test_without_keys_the_environment_has_them(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("AWS_ACCESS_KEY_ID", "of-the-environment")
    monkeypatch.setenv("AWS_SECRET_ACCESS_KEY", "of-the-environment")

    url = S3ObjectStore(BucketAddress(bucket="bucket", prefix="")).download_url(KEY, seconds=60)

    assert "X-Amz-Credential=of-the-environment%2F" in (url or "")


def test_an_upload_has_time_for_its_size_and_few_clients_are_made() -> None:
    clients = BucketClients(
        BucketAddress(bucket="bucket", prefix=""),
        Patience(upload_seconds=10, upload_bytes_per_second=2**20),
    )
    sizes = [mebibytes * 2**20 for mebibytes in range(0, 2000, 7)]

    limits = {size: clients.upload(size).client_options["timeout"] for size in sizes}  # type: ignore[index] # set above

    assert len(set(map(str, limits.values()))) <= 9
    assert clients.upload(1) is clients.upload(2)

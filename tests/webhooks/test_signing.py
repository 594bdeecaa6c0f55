"""Signatures are those of Standard Webhooks, and no secret is stored anywhere."""

import base64
import json
import subprocess
import sys
from datetime import timedelta

import pytest
from standardwebhooks import Webhook, WebhookVerificationError

from gen_video.clock import utc_now
from gen_video.webhooks.models import SecretName
from gen_video.webhooks.signing import PREFIX, ROTATION, Signer
from tests.sdk.packages import python_sdk

BODY = '{"type":"job.succeeded","timestamp":"2026-03-10T12:00:00Z","data":{"提示":"雪山"}}'
OWNER = "whk_4bDk2Qv9sTnW1xYz8aLm3P"
NAMES = ("webhook-id", "webhook-timestamp", "webhook-signature")
UNWRAP = """
import json, sys
import openai
given = json.load(sys.stdin)
client = openai.OpenAI(api_key="none", webhook_secret=given["secret"])
client.webhooks.verify_signature(given["body"], given["headers"])
wrong = openai.OpenAI(api_key="none", webhook_secret=given["other"])
try:
    wrong.webhooks.verify_signature(given["body"], given["headers"])
except openai.InvalidWebhookSignatureError:
    print(client.webhooks.unwrap(given["body"], given["headers"]).type)
"""

signer = Signer(b"key of the service")


def headers(name: SecretName, *, body: str = BODY) -> dict[str, str]:
    signed = signer.headers(name, event_id="evt_1", body=body, now=utc_now())
    return dict(zip(NAMES, signed, strict=True))


def test_the_reference_library_takes_what_is_sent() -> None:
    name = SecretName(owner_id=OWNER)

    read = Webhook(signer.secret(OWNER, 1)).verify(BODY, headers(name))

    assert read == json.loads(BODY)


def test_the_reference_library_refuses_another_body_or_secret() -> None:
    given = headers(SecretName(owner_id=OWNER))

    with pytest.raises(WebhookVerificationError):
        Webhook(signer.secret(OWNER, 1)).verify(BODY + " ", given)
    with pytest.raises(WebhookVerificationError):
        Webhook(signer.secret(OWNER, 2)).verify(BODY, given)


@pytest.mark.parametrize("major", [2, 3])
def test_the_sdk_of_openai_takes_what_is_sent(major: int) -> None:
    given = {
        "secret": signer.secret(OWNER, 1),
        "other": signer.secret(OWNER, 2),
        "body": BODY,
        "headers": headers(SecretName(owner_id=OWNER)),
    }

    done = subprocess.run(
        [sys.executable, "-c", UNWRAP],
        input=json.dumps(given),
        env={"PYTHONPATH": str(python_sdk(major))},
        capture_output=True,
        text=True,
        check=False,
    )

    assert (done.returncode, done.stdout.strip()) == (0, "job.succeeded"), done.stderr


def test_after_a_rotation_both_secrets_verify_for_a_day() -> None:
    name = SecretName(owner_id=OWNER, version=2, previous_until=utc_now() + ROTATION)

    given = headers(name)

    assert len(given["webhook-signature"].split(" ")) == 2
    for version in (1, 2):
        Webhook(signer.secret(OWNER, version)).verify(BODY, given)


def test_a_day_later_only_the_new_secret_verifies() -> None:
    name = SecretName(owner_id=OWNER, version=2, previous_until=utc_now() - timedelta(seconds=1))

    given = headers(name)

    Webhook(signer.secret(OWNER, 2)).verify(BODY, given)
    with pytest.raises(WebhookVerificationError):
        Webhook(signer.secret(OWNER, 1)).verify(BODY, given)


def test_a_secret_has_the_length_that_the_scheme_asks_for() -> None:
    secret = signer.secret(OWNER, 1)

    assert 24 <= len(base64.b64decode(secret.removeprefix(PREFIX))) <= 64


def test_every_owner_version_and_service_has_a_secret_of_its_own() -> None:
    secrets = {
        Signer(key).secret(owner, version)
        for key in (b"one", b"other")
        for owner in (OWNER, "acc_4bDk2Qv9sTnW1xYz8aLm3P")
        for version in (1, 2)
    }

    assert len(secrets) == 8

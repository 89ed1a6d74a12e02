"""Keys that are lent: who knows the secret word gets those of now, for seconds."""

import json
from datetime import datetime

import pytest

from walsup.archive.engine.key_server import KEPT_S, answer

LENT = {"word": "w0rd", "key": "id", "secret": "s3cret", "token": "t0ken"}
ROLES = "/latest/meta-data/iam/security-credentials/"


@pytest.mark.parametrize("request_", ["GET /w0rd", f"GET /w0rd{ROLES}walsup"])
def test_both_services_give_keys_that_end_soon(request_: str) -> None:
    """A container's and an instance's; both engines ask again 300 s before the end."""
    head, _, body = answer(request_, LENT, 1_000_000_000.0).partition(b"\r\n\r\n")
    assert head.startswith(b"HTTP/1.1 200 ")
    document = json.loads(body)
    assert document["AccessKeyId"] == "id"
    assert document["SecretAccessKey"] == "s3cret"
    assert document["Token"] == "t0ken"
    ends = datetime.fromisoformat(document["Expiration"]).timestamp()
    assert ends == 1_000_000_000 + 300 + KEPT_S


@pytest.mark.parametrize(
    "request_", ["GET /", f"GET {ROLES}walsup", "GET /other", "PUT /latest/api/token", "GET /w0rd/"]
)
def test_without_the_word_there_is_nothing(request_: str) -> None:
    """Other containers of the pod reach the same loopback device."""
    said = answer(request_, LENT, 0.0)
    assert said.startswith(b"HTTP/1.1 404 ")
    assert not any(secret.encode() in said for secret in LENT.values())

"""Signed requests: where they go, and who is asked for keys before."""

import asyncio
import socket
from collections.abc import Callable

import pytest

from tests.unit.archive.storage.s3.scripted import Scripted
from walsup import settings
from walsup.archive.faults import FaultError
from walsup.archive.storage.s3.server import Call, S3Server
from walsup.settings import ArchiveUrl

KEYS = {"AWS_ACCESS_KEY_ID": "key", "AWS_SECRET_ACCESS_KEY": "secret"}
FINE = b"HTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n"
READ = Call("GET", "s3:GetObject", key="db/x")


def server(**environment: str) -> S3Server:
    """The bucket's server as these settings have it."""
    known = settings.load({"WALSUP_ARCHIVE": "s3://b/db"} | environment)
    assert isinstance(known.archive, ArchiveUrl)
    return S3Server(known, known.archive)


def in_a_loop(asked: S3Server) -> object:
    """As the agent asks."""
    return asyncio.run(asked.ask(READ, 0.3))


def blocking(asked: S3Server) -> object:
    """As a first start asks."""
    return asked.ask_now(READ, 0.3)


@pytest.mark.parametrize("ask", [in_a_loop, blocking])
def test_silence_about_keys_is_no_silence_of_the_bucket(ask: Callable[[S3Server], object]) -> None:
    """Without keys on a machine that is not Amazon's the metadata's address swallows packets."""
    with socket.create_server(("127.0.0.1", 0)) as silent:
        nowhere = f"http://127.0.0.1:{silent.getsockname()[1]}"
        asked = server(AWS_ENDPOINT=nowhere, AWS_EC2_METADATA_SERVICE_ENDPOINT=nowhere)
        with pytest.raises(FaultError) as raised:
            ask(asked)
    assert raised.value.fault.kind == "auth"
    assert "AWS_ACCESS_KEY_ID" in raised.value.fault.problem


def test_given_keys_ask_nobody() -> None:
    """The first thing that is sent is the request."""
    s3 = Scripted([FINE, FINE])
    with s3:
        asked = server(AWS_ENDPOINT=f"http://127.0.0.1:{s3.port}", **KEYS)
        asked.ask_now(READ, 5)
        asked.ask_now(READ._replace(key="db/a b+c"), 5)
        asked.close()
    first, second = s3.heard
    assert first.startswith(b"GET /b/db/x HTTP/1.1\r\n")
    assert b"host: 127.0.0.1:%d\r\n" % s3.port in first
    assert second.startswith(b"GET /b/db/a%20b%2Bc HTTP/1.1\r\n")
    assert b"secret" not in first


def test_a_secret_that_cannot_be_sent_is_told_without_it() -> None:
    """A token with a character that no header holds, from outside of Latin-1."""
    s3 = Scripted([FINE], [FINE])
    with s3:
        endpoint = f"http://127.0.0.1:{s3.port}"
        asked = server(AWS_ENDPOINT=endpoint, AWS_SESSION_TOKEN="to\u2713ken", **KEYS)
        with pytest.raises(FaultError) as raised:
            asked.ask_now(READ, 5)
    assert raised.value.fault.kind == "auth"
    assert "ken" not in raised.value.fault.problem.replace("token", "")


@pytest.mark.parametrize(
    ("environment", "host"),
    [
        ({"AWS_REGION": "eu-west-3"}, "b.s3.eu-west-3.amazonaws.com"),
        ({"AWS_REGION": "cn-north-1"}, "b.s3.cn-north-1.amazonaws.com.cn"),
        (
            {"AWS_ENDPOINT": "b.vpce-1.s3.eu-west-1.vpce.amazonaws.com"},
            "b.vpce-1.s3.eu-west-1.vpce.amazonaws.com",
        ),
        ({"AWS_ENDPOINT": "http://[::1]:8333"}, "[::1]:8333"),
        ({"AWS_ENDPOINT": "https://minio.db.svc"}, "minio.db.svc"),
        ({"AWS_ENDPOINT": "http://minio:80"}, "minio"),
        ({"AWS_ENDPOINT": "https://minio:443"}, "minio"),
        ({"AWS_ENDPOINT": "https://minio:80"}, "minio:80"),
    ],
)
def test_what_is_connected_to(environment: dict[str, str], host: str) -> None:
    """A name of Amazon's, or the endpoint as it was given."""
    assert server(**environment, **KEYS).host == host

"""Temporary keys: when they are asked for, and how long they are used."""

import json
import time
from datetime import UTC, datetime

import pytest

from tests.unit.archive.storage.s3.scripted import Scripted
from walsup import settings
from walsup.archive.faults import FaultError
from walsup.archive.storage.s3.blocking import carry
from walsup.archive.storage.s3.keys import KeyRing
from walsup.archive.storage.s3.signature import Keys

BROKEN = b"HTTP/1.1 500 x\r\nContent-Length: 0\r\n\r\n"


def given(key: str, ends_in_s: float = 3600) -> bytes:
    """An answer with this key."""
    ends = datetime.fromtimestamp(time.time() + ends_in_s, UTC).strftime("%Y-%m-%dT%H:%M:%SZ")
    fields = {"AccessKeyId": key, "SecretAccessKey": "s", "Token": "t", "Expiration": ends}
    return said(json.dumps(fields))


def said(body: str) -> bytes:
    """An answer."""
    return f"HTTP/1.1 200 OK\r\nContent-Length: {len(body)}\r\n\r\n{body}".encode()


class Asked:
    """A container's keys from a server that says this, one answer for a request."""

    def __init__(self, *answers: bytes) -> None:
        self.server = Scripted(*([one] for one in answers))
        uri = f"http://127.0.0.1:{self.server.port}/creds"
        self.ring = KeyRing(
            settings.load(
                {
                    "WALSUP_ARCHIVE": "s3://b/db",
                    "AWS_ENDPOINT": "http://127.0.0.1:1",
                    "AWS_CONTAINER_CREDENTIALS_FULL_URI": uri,
                }
            ),
            "x",
        )

    def now(self) -> str:
        """The key of now."""
        keys: Keys = carry(self.ring.now(), 5)
        return keys.access_key_id


def test_they_are_kept() -> None:
    """Not each request asks."""
    asked = Asked(given("A"), given("B"))
    with asked.server:
        assert [asked.now() for _ in range(3)] == ["A"] * 3
    assert len(asked.server.heard) == 1


def test_refused_ones_are_asked_for_anew() -> None:
    """As when a role was changed."""
    asked = Asked(given("A"), given("B"))
    with asked.server:
        assert asked.now() == "A"
        asked.ring.doubt()
        assert asked.now() == "B"


def test_good_ones_outlive_a_failure() -> None:
    """They are used while they are good, and the next try is soon."""
    asked = Asked(given("A"), BROKEN, given("B"))
    with asked.server:
        assert asked.now() == "A"
        asked.ring.doubt()
        assert asked.now() == "A"
        assert asked.now() == "A"
        assert len(asked.server.heard) == 2
        asked.ring.doubt()
        assert asked.now() == "B"


def test_ended_ones_are_not_used() -> None:
    """A failure is told then."""
    asked = Asked(given("A", ends_in_s=-1), BROKEN, given("B"))
    with asked.server:
        assert asked.now() == "A"
        with pytest.raises(FaultError, match="no credentials"):
            asked.now()
        assert asked.now() == "B"


@pytest.mark.parametrize("body", ["[]", "null", '"x"', "{}", '{"AccessKeyId": "A"}', "<html>", ""])
def test_what_names_no_keys(body: str) -> None:
    """A fault that says so, with nothing of what was said."""
    asked = Asked(said(body))
    with asked.server, pytest.raises(FaultError, match="no credentials") as raised:
        asked.now()
    assert raised.value.fault.kind == "auth"

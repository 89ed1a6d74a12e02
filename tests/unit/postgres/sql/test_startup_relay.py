"""The relay's one change: settings after those that a startup packet has."""

import struct

from hypothesis import given
from hypothesis import strategies as st

from walsup.postgres.sql.startup_relay import with_settings

PROTOCOL = 196608
NAMES = st.text(st.characters(codec="ascii", exclude_characters="\0"), min_size=1)


def packet(code: int, body: bytes) -> bytes:
    """As a client sends it."""
    return struct.pack(">II", 8 + len(body), code) + body


def test_b_settings_come_after_the_engines_own() -> None:
    """The last one of a name wins."""
    before = packet(PROTOCOL, b"user\0postgres\0search_path\0evil\0\0")
    after = with_settings(before, {"search_path": "pg_catalog"})
    assert after[4:] == before[4:-1] + b"search_path\0pg_catalog\0\0"
    assert struct.unpack(">I", after[:4]) == (len(after),)


@given(given=st.dictionaries(NAMES, NAMES), more=st.dictionaries(NAMES, NAMES))
def test_any_packet_stays_one(given: dict[str, str], more: dict[str, str]) -> None:
    """Length, and every pair in its order."""
    body = b"".join(f"{k}\0{v}\0".encode() for k, v in given.items()) + b"\0"
    after = with_settings(packet(PROTOCOL, body), more)
    assert struct.unpack(">I", after[:4]) == (len(after),)
    assert after[8:-1].split(b"\0")[:-1] == [
        word.encode() for pair in [*given.items(), *more.items()] for word in pair
    ]


def test_a_request_to_cancel_is_passed_on_as_it_is() -> None:
    """It has no settings."""
    cancel = packet(80877102, struct.pack(">II", 1, 2))
    assert with_settings(cancel, {"search_path": "pg_catalog"}) == cancel

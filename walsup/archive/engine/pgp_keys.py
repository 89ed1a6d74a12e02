"""Which halves of an OpenPGP key a text contains; its secrets are not returned. Pure.

Source: RFC 4880 and RFC 9580, 4.2 (packets), 5.5 (keys), 6 (armor); WAL-G 3.0.8 reads the first
armored block and no other (golang.org/x/crypto/openpgp).
"""

import base64
import binascii
import enum
import re
from collections.abc import Iterator

_BLOCK = re.compile(
    r"-----BEGIN PGP (?P<what>PUBLIC|PRIVATE) KEY BLOCK-----(?P<body>.*?)-----END PGP", re.DOTALL
)
_SECRET, _SECRET_SUBKEY = 5, 7
_V4_HEAD_BYTES = 6  # version, time, algorithm
_S2K_USED, _GNU_S2K, _GNU_ABSENT = (253, 254, 255), 101, 1
_RSA, _ELGAMAL, _DSA = (1, 2, 3), 16, 17
_ECDH, _ON_CURVES = 18, (18, 19, 22)
_NUMBERS = {**dict.fromkeys(_RSA, 2), _ELGAMAL: 3, _DSA: 4}
_FIXED_BYTES = {25: 32, 26: 56, 27: 32, 28: 57}  # X25519, X448, Ed25519, Ed448


class Halves(enum.Enum):
    """What a key can do: decrypt, decrypt with a passphrase, only encrypt; or not known."""

    PRIVATE = "private"
    LOCKED = "locked"
    PUBLIC = "public"
    UNKNOWN = "unknown"


def halves(text: str) -> Halves:
    """Return what the first armored block of a text holds."""
    # A variable cannot always contain line breaks: WAL-G accepts them as \n, too.
    found = _BLOCK.search(text.replace("\\n", "\n"))
    if found is None:
        return Halves.UNKNOWN
    if found["what"] == "PUBLIC":
        return Halves.PUBLIC
    try:
        secret = [
            _half(body)
            for tag, body in _packets(_unarmored(found["body"]))
            if tag in (_SECRET, _SECRET_SUBKEY)
        ]
    except (ValueError, IndexError, binascii.Error):
        return Halves.UNKNOWN
    order = (Halves.PRIVATE, Halves.UNKNOWN, Halves.LOCKED, Halves.PUBLIC)
    return next((one for one in order if one in secret), Halves.UNKNOWN)


def _unarmored(body: str) -> bytes:
    _, _, after = body.replace("\r", "").lstrip(" \t").partition("\n")
    head, blank, content = after.partition("\n\n")
    if not blank or any(line and ":" not in line for line in head.splitlines()):
        content = after  # without any header
    lines = [line.strip() for line in content.splitlines()]
    return base64.b64decode("".join(line for line in lines if not line.startswith("=")))


def _packets(content: bytes) -> Iterator[tuple[int, bytes]]:
    at = 0
    while at < len(content):
        head = content[at]
        if not head & 0x80:
            raise ValueError("no packet")
        if head & 0x40:
            tag, (length, size) = head & 0x3F, _new_length(content, at + 1)
        else:
            tag, size = head >> 2 & 0x0F, 1 << (head & 3)
            length = int.from_bytes(content[at + 1 : at + 1 + size])
        begin = at + 1 + size
        yield tag, content[begin : begin + length]
        at = begin + length


def _new_length(content: bytes, at: int) -> tuple[int, int]:
    """Return a packet's length, and how many bytes encode it."""
    first = content[at]
    if first < 192:  # noqa: PLR2004 (the RFC's number)
        return first, 1
    if first < 224:  # noqa: PLR2004 (as above)
        return ((first - 192) << 8) + content[at + 1] + 192, 2
    if first != 255:  # noqa: PLR2004 (as above)
        raise ValueError("a key in parts")
    return int.from_bytes(content[at + 1 : at + 5]), 5


def _half(body: bytes) -> Halves:
    """Return which half a secret key's packet holds."""
    if body[0] != 4:  # noqa: PLR2004 (the only version that WAL-G writes and reads)
        return Halves.UNKNOWN
    at = _after_public(body)
    if at < 0:
        return Halves.UNKNOWN
    usage = body[at]
    if usage == 0:
        return Halves.PRIVATE
    if usage in _S2K_USED and body[at + 2] == _GNU_S2K:
        return Halves.PUBLIC if body[at + 7] == _GNU_ABSENT else Halves.UNKNOWN
    return Halves.LOCKED


def _after_public(body: bytes) -> int:
    """Return where a key's public numbers end, -1: its algorithm is not known."""
    algorithm, at = body[_V4_HEAD_BYTES - 1], _V4_HEAD_BYTES
    if algorithm in _FIXED_BYTES:
        return at + _FIXED_BYTES[algorithm]
    if algorithm in _ON_CURVES:
        at += 1 + body[at]
        at = _after_number(body, at)
        return at + 1 + body[at] if algorithm == _ECDH else at
    if algorithm not in _NUMBERS:
        return -1
    for _ in range(_NUMBERS[algorithm]):
        at = _after_number(body, at)
    return at


def _after_number(body: bytes, at: int) -> int:
    return at + 2 + (int.from_bytes(body[at : at + 2]) + 7) // 8

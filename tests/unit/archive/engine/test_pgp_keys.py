"""Which halves of a key a text holds, with keys that GnuPG has made."""

from pathlib import Path

import pytest

from walsup.archive.engine.pgp_keys import Halves, halves

_KEYS = Path(__file__).parents[3] / "keys"


@pytest.mark.parametrize(
    ("name", "found"),
    [
        ("rsa-public", Halves.PUBLIC),
        ("rsa-private", Halves.PRIVATE),
        ("rsa-locked", Halves.LOCKED),
        ("rsa-subkey", Halves.PRIVATE),
        ("ed25519-public", Halves.PUBLIC),
        ("ed25519-private", Halves.PRIVATE),
        ("ed25519-locked", Halves.LOCKED),
    ],
)
def test_the_halves_of_a_key_are_told(name: str, found: Halves) -> None:
    """Also on one line, and with line ends of Windows."""
    text = (_KEYS / f"{name}.asc").read_text()
    assert halves(text) is found
    assert halves(text.replace("\n", "\\n")) is found
    assert halves(text.replace("\n", "\r\n")) is found


def test_only_the_first_block_counts() -> None:
    """The engine does not read what follows it."""
    public = (_KEYS / "rsa-public.asc").read_text()
    assert halves(public + (_KEYS / "rsa-private.asc").read_text()) is Halves.PUBLIC


@pytest.mark.parametrize("body", ["", "%%%%", "lQ==", "AAAA", "lQE="])
def test_what_is_no_key_is_unknown(body: str) -> None:
    """Nothing is claimed of it."""
    block = f"-----BEGIN PGP PRIVATE KEY BLOCK-----\n\n{body}\n-----END PGP PRIVATE KEY BLOCK-----"
    assert halves(block) is Halves.UNKNOWN
    assert halves(body) is Halves.UNKNOWN


def test_a_key_that_is_cut_off_raises_nothing() -> None:
    """At whatever place."""
    text = (_KEYS / "rsa-private.asc").read_text()
    for end in range(0, len(text), 97):
        halves(f"{text[:end]}\n-----END PGP PRIVATE KEY BLOCK-----")

"""Sizes in PostgreSQL's words."""

import pytest

from walsup.postgres.config_sizes import memory_bytes, shared_buffers_bytes


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("128MB", 128 << 20),
        ("128 MB", 128 << 20),
        (" 1GB ", 1 << 30),
        ("0.5GB", 1 << 29),
        ("1TB", 1 << 40),
        ("524288kB", 512 << 20),
        ("1048576B", 1 << 20),
        ("16384", 128 << 20),
        ("0x10", 16 * 8192),
        ("", None),
        ("many", None),
        ("12 MB x", None),
        ("128KB", None),
        ("-1", None),
    ],
)
def test_sizes(text: str, expected: int | None) -> None:
    """With a unit, or in blocks of 8 kB."""
    assert memory_bytes(text) == expected


def test_shared_buffers_has_a_default() -> None:
    """Not set, or in words that postgres would refuse."""
    assert shared_buffers_bytes(None) == shared_buffers_bytes("what") == 128 << 20
    assert shared_buffers_bytes("256MB") == 256 << 20

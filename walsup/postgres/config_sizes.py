"""Sizes as PostgreSQL's settings write them."""

import re

_UNITS = {"b": 1, "kb": 1 << 10, "mb": 1 << 20, "gb": 1 << 30, "tb": 1 << 40}
_BLOCK_BYTES = 8192
_DEFAULT_SHARED_BUFFERS_BYTES = 128 << 20


def memory_bytes(text: str, unit_bytes: int = _BLOCK_BYTES) -> int | None:
    """Return the bytes of "128MB", "0.5 GB" or "16384" (in units of the setting); None if neither.

    Source: PostgreSQL 15, guc.c, parse_int: kB, not KB; whitespace before the unit is allowed.
    """
    found = re.fullmatch(r"\s*(0x[0-9A-Fa-f]+|\d+(?:\.\d*)?|\.\d+)\s*(B|kB|MB|GB|TB)?\s*", text)
    if not found:
        return None
    number = int(found[1], 16) if found[1].startswith("0x") else float(found[1])
    return int(number * (_UNITS[found[2].lower()] if found[2] else unit_bytes))


def shared_buffers_bytes(text: str | None) -> int:
    """Return the value of a setting of shared_buffers; PostgreSQL's default when it is not set."""
    found = memory_bytes(text) if text else None
    return _DEFAULT_SHARED_BUFFERS_BYTES if found is None else found

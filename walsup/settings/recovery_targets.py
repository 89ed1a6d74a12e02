"""What a recovery target's text means: a moment, a position, a transaction, a timeline."""

import re

TYPE_CHECKING = False
if TYPE_CHECKING:
    from datetime import datetime, tzinfo

_LSN = re.compile(r"[0-9A-Fa-f]{1,8}/[0-9A-Fa-f]{1,8}")
_ZONE = re.compile(r"(.*\d)\s*(?:Z|\s(?:UTC|GMT)|\s([A-Za-z]+(?:/[A-Za-z_+-]+)+))", re.IGNORECASE)
_FIRST_XID = 3  # Source: PostgreSQL 15, transam.h, FirstNormalTransactionId
_LONGEST_NAME_BYTES = 63


def moment(text: str) -> str:
    """Read a time that has happened; gives it in ISO 8601 and UTC, to the microsecond.

    Without a zone the same words mean another moment on another machine.
    """
    from datetime import UTC, datetime  # noqa: PLC0415 (2 ms of every start that restores nothing)

    plain, zone = text.strip(), None
    if found := _ZONE.fullmatch(plain):
        plain, zone = found[1], found[2] or "UTC"
    try:
        at = datetime.fromisoformat(plain)
        if zone is not None and at.tzinfo is None:
            at = at.replace(tzinfo=UTC if zone == "UTC" else _named(zone))
    except ValueError:
        raise ValueError(
            f"{text!r} is not a time such as 2026-11-27 14:30:00+01:00, 2026-11-27T13:30:00Z or"
            " 2026-11-27 14:30:00 Europe/Berlin"
        ) from None
    if at.tzinfo is None:
        raise ValueError(f"{text!r} has no time zone: append +00:00, UTC or Europe/Berlin")
    if zone is not None:
        _check_once(text, at, zone)
    if at > datetime.now(UTC):
        raise ValueError(f"{text!r} is in the future")
    return at.astimezone(UTC).isoformat(sep=" ", timespec="microseconds")


def _check_once(text: str, at: "datetime", zone: str) -> None:
    """Refuse what a clock there has shown twice, or never.

    Raises:
        ValueError: it has; the text names both readings.
    """
    from datetime import UTC, timedelta, timezone  # noqa: PLC0415 (as above)

    first, second = (at.replace(fold=fold) for fold in (0, 1))
    offsets = [one.utcoffset() or timedelta() for one in (first, second)]
    if offsets[0] == offsets[1]:
        return
    readings = " or ".join(
        at.replace(tzinfo=timezone(offset)).isoformat(sep=" ") for offset in offsets
    )
    happened = first.astimezone(UTC).astimezone(at.tzinfo).replace(fold=0) == first.replace(fold=0)
    was = "happened twice in" if happened else "never happened in"
    raise ValueError(f"{text!r} {was} {zone}, when the clocks were changed: write {readings}")


def _named(zone: str) -> "tzinfo":
    from zoneinfo import ZoneInfo  # noqa: PLC0415 (as above)

    try:
        return ZoneInfo(zone)
    except (KeyError, OSError) as unknown:
        raise ValueError(f"{zone!r} is not a time zone known to this system") from unknown


def lsn(text: str) -> str:
    """Read a position such as 0/16B3740."""
    if not _LSN.fullmatch(text):
        raise ValueError(f"{text!r} is not an LSN such as 0/16B3740")
    return text.upper()


def xid(text: str) -> str:
    """Read a transaction's number."""
    if not re.fullmatch(r"\d{1,20}", text, re.ASCII) or int(text) < _FIRST_XID:
        raise ValueError(f"{text!r} is not a transaction's number (3 or more)")
    return text


def name(text: str) -> str:
    """Read the name of a restore point."""
    if len(text.encode()) > _LONGEST_NAME_BYTES:
        raise ValueError(f"{text!r} is longer than the name of a restore point can be (63 bytes)")
    return text


def timeline(text: str) -> str:
    """Read `latest`, `current` (the backup's own) or a number."""
    plain = text.lower()
    if plain in ("latest", "current"):
        return plain
    if re.fullmatch(r"\d{1,10}", text, re.ASCII) and 0 < int(text) < 1 << 32:
        return str(int(text))
    raise ValueError(f"{text!r} is neither latest, current nor a timeline's number")


def segment(text: str) -> str:
    """Read the name of a WAL segment."""
    if not re.fullmatch(r"[0-9A-F]{24}", text):
        raise ValueError(f"{text!r} is not a segment's name (24 hexadecimal digits)")
    return text


def backup(text: str) -> str:
    """Read the name of a base backup; LATEST is the default said aloud, and gives nothing."""
    if text.upper() == "LATEST":
        return ""
    if not re.fullmatch(r"[\w.-]+", text, re.ASCII):
        raise ValueError(f"{text!r} is not the name of a base backup, such as base_0000…")
    return text

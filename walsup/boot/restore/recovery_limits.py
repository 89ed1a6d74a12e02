"""The settings that recovery and its prepared transactions need as high as the primary had them."""

from collections.abc import Mapping
from pathlib import Path

from walsup import log
from walsup.boot.restore.target import raised
from walsup.postgres import pg_control
from walsup.postgres.pg_control import DBState

_PREPARED = "max_prepared_transactions"


def of_recovery(
    pgdata: Path, seen: Mapping[str, int], effective: Mapping[str, str], *, read_only: bool
) -> dict[str, str]:
    """Return what is too low for a recovery.

    `seen`: the highest values that the archive's owners have had, which the WAL may contain.
    `read_only`: sessions are admitted, for which postgres compares all five.
    """
    needed = dict(pg_control.read(pgdata).limits)
    for name, value in seen.items():
        if name == _PREPARED or read_only:
            needed[name] = max(value, needed.get(name, 0))
    return _raised(needed, effective, "the primary had this value")


def of_start(pgdata: Path, effective: Mapping[str, str]) -> dict[str, str]:
    """Return what is too low for prepared transactions of an earlier run.

    postgres would end at each start. After a clean stop without prepared transactions the
    operator's value counts.
    """
    found = pg_control.read(pgdata)
    needed = dict(found.limits).get(_PREPARED, 0)
    folder = pgdata / "pg_twophase"
    left = folder.is_dir() and any(folder.iterdir())
    if not needed or not (left or found.state is not DBState.SHUT_DOWN):
        return {}
    return _raised({_PREPARED: needed}, effective, "prepared transactions may exist")


def _raised(needed: Mapping[str, int], effective: Mapping[str, str], why: str) -> dict[str, str]:
    higher = raised(needed, effective)
    for name, value in higher.items():
        log.info("setting.raised", name=name, value=value, why=why)
    return higher

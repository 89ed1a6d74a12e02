"""Where a restore ends, according to the settings, and the settings of postgres for it. Pure."""

from collections.abc import Mapping
from typing import NamedTuple

from walsup.settings import Settings

_KINDS = ("time", "lsn", "xid", "name")


class Target(NamedTuple):
    """`kind`: end, time, lsn, xid, name or immediate; `value` as postgres reads it."""

    kind: str = "end"
    value: str = ""
    inclusive: bool = True
    action: str = "promote"
    timeline: str = "latest"

    def __str__(self) -> str:
        match self.kind:
            case "end":
                return "the end of the archive"
            case "immediate":
                return "the end of the base backup"
            case kind:
                side = "" if self.inclusive else "just before "
                return f"{side}{kind} {self.value}"


def target(settings: Settings, *, own: bool) -> Target:
    """Return the target of a restore.

    `own`: the archive is this database's own; with a WALSUP_RESTORE_FROM beside it the target
    belongs to that source, from which it was restored once (rule restore-source-once).
    """
    if own and settings.restore_from:
        return Target()
    timeline = settings.restore_target_timeline
    inclusive, action = settings.restore_target_inclusive, settings.restore_target_action
    if settings.restore_target_immediate:
        return Target("immediate", "", inclusive, action, timeline)
    for kind in _KINDS:
        if value := getattr(settings, f"restore_target_{kind}"):
            return Target(kind, value, inclusive, action, timeline)
    return Target(timeline=timeline)


def recovery_settings(
    wanted: Target, timeline: int, ends: str, restore_command: str
) -> dict[str, str]:
    """Return postgres's settings for a recovery; every other target is removed.

    `timeline` is always a number: with `latest` postgres would follow a timeline that appears
    meanwhile, and ask the archive for it. `ends`: as in `Restored`.
    """
    rendered = {
        "restore_command": restore_command,
        "recovery_target_timeline": str(timeline),
        # postgres compares the five settings, and ends recovery, only for read-only sessions.
        "hot_standby": "on" if wanted.action == "pause" else "off",
    }
    rendered |= {"recovery_target": "", **{f"recovery_target_{kind}": "" for kind in _KINDS}}
    if ends == "target":
        name = f"recovery_target_{wanted.kind}" if wanted.value else "recovery_target"
        # The last one: a setting that removes a target removes any target that was set before.
        del rendered[name]
        rendered[name] = wanted.value or wanted.kind
    rendered["recovery_target_inclusive"] = "on" if wanted.inclusive else "off"
    rendered["recovery_target_action"] = wanted.action if ends == "target" else "promote"
    return rendered


# Source: PostgreSQL 15, guc.c.
_DEFAULTS = {
    "max_connections": 100,
    "max_worker_processes": 8,
    "max_wal_senders": 10,
    "max_prepared_transactions": 0,
    "max_locks_per_transaction": 64,
}


def raised(limits: Mapping[str, int], effective: Mapping[str, str]) -> dict[str, str]:
    """Return which of the five settings are lower than on the primary."""
    return {
        name: str(needed) for name, needed in limits.items() if _number(effective, name) < needed
    }


def _number(effective: Mapping[str, str], name: str) -> int:
    try:
        return int(effective.get(name, _DEFAULTS[name]))
    except (ValueError, KeyError):
        return 0

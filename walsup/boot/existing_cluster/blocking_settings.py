"""Settings of postgres that let recovery, a standby or every login stand still. Pure.

They come with the copy, or from a file of another server. The log does not name them when they
block something. docs/odd-settings.md lists every setting that was examined, and its handling.
Source: PostgreSQL 15, `pg_settings`; 16 to 18, guc_tables.c.
"""

from collections.abc import Mapping

from walsup import units

NEVER_CANCELED = "-1"
_CONFLICTS = ("max_standby_archive_delay", "max_standby_streaming_delay")
_RECEIVER_TIMEOUT = "60s"
_STATUS_INTERVAL = "10s"
_LONGEST_RETRY_S = 60.0
_RETRY = "5s"


def of_logins(effective: Mapping[str, str]) -> dict[str, str]:
    """Return the settings that are displaced so that logins and probes are answered in time."""
    if _seconds(effective.get("pre_auth_delay", "0"), "s"):
        return {"pre_auth_delay": "0"}
    return {}


def of_recovery(effective: Mapping[str, str]) -> dict[str, str]:
    """Return the settings for a restore, besides those that say where it ends."""
    rendered = _shown(effective)
    if _seconds(effective.get("recovery_min_apply_delay", "0"), "ms"):
        rendered["recovery_min_apply_delay"] = "0"
    for name in ("archive_cleanup_command", "recovery_end_command"):
        if effective.get(name):
            rendered[name] = ""
    for name in _CONFLICTS:
        if effective.get(name, "").strip() == NEVER_CANCELED:
            rendered[name] = "30s"  # the default: a reader's query ends, not the restore
    return rendered


def of_standby(effective: Mapping[str, str]) -> dict[str, str]:
    """Return the settings with which a standby notices a dead primary and is noticed itself."""
    rendered = _shown(effective)
    if _seconds(effective.get("wal_receiver_timeout", "60s"), "ms") == 0:
        rendered["wal_receiver_timeout"] = _RECEIVER_TIMEOUT
    if _seconds(effective.get("wal_receiver_status_interval", "10s"), "s") == 0:
        # Without it a standby acknowledges nothing, and commits that wait for it stand still.
        rendered["wal_receiver_status_interval"] = _STATUS_INTERVAL
    if (_seconds(effective.get("wal_retrieve_retry_interval", "5s"), "ms") or 0) > _LONGEST_RETRY_S:
        rendered["wal_retrieve_retry_interval"] = _RETRY
    return rendered


def _shown(effective: Mapping[str, str]) -> dict[str, str]:
    """Return the setting with which the startup process shows its progress in its title."""
    try:
        is_shown = units.boolean(effective.get("update_process_title", "on"))
    except ValueError:
        return {}
    return {} if is_shown else {"update_process_title": "on"}


def _seconds(text: str, unit: str) -> float | None:
    """Return the value that postgres reads; None when postgres would reject it at its start.

    `unit`: the unit of a number that has none.
    """
    words = text.strip()
    try:
        return units.duration(words + unit if words.strip("0123456789.") == "" else words)
    except (ValueError, OverflowError):
        return None

"""The states of the parts of the snapshot; their values are what `/status` and the log show."""

from enum import StrEnum


class GateState(StrEnum):
    """The gate of the archive: only while it is open does archive_command succeed."""

    NONE = "none"  # no archive is configured
    SHUT = "shut"
    OPENING = "opening"
    OPEN = "open"
    STANDBY = "standby"  # shut for as long as this is a standby


class BackupState(StrEnum):
    """The newest base backup in the bucket, and what is done about it."""

    UNKNOWN = "unknown"
    NONE = "none"
    WAITING_FOR_SEGMENT = "waiting for a first segment"
    RUNNING = "running"
    WAITING_FOR_WAL = "waiting for its WAL"
    PROVEN = "proven"  # the engine has read it
    LISTED = "listed"  # all of it is in the bucket; nothing here can decrypt it
    FAILED = "failed"
    DAMAGED = "damaged"


class RestorePhase(StrEnum):
    """How far a restore has come."""

    NONE = "none"
    FETCHING = "fetching"  # bytes are counted
    RECOVERING = "recovering"  # segments are counted
    PROMOTED = "promoted"
    DONE = "done"


class StandbyPhase(StrEnum):
    """What this instance has been in this run: a standby, or one that was promoted."""

    NONE = "none"
    FOLLOWING = "following"
    PROMOTED = "promoted"


class AuditState(StrEnum):
    """The result of the last full audit of the archive."""

    NONE = "none"  # nothing is archived
    WAITING = "waiting"  # for this run's first full round
    PASSED = "passed"
    FINDINGS = "findings"

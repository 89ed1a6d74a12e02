"""Computes how old each observation is, and which are too old to rely on. Pure."""

import math

from walsup import units
from walsup.agent.snapshot import Snapshot
from walsup.agent.states import StandbyPhase

# A new connection is tried every two seconds, for three at most.
ANSWERED_WITHIN_S = 8.0

# Each is checked every second or two, the bucket every 15 s; the rest allows for a busy machine.
_LIMITS_S = {
    "init": 30.0,
    "database": 30.0,
    "answer": ANSWERED_WITHIN_S,
    "waiting": 180.0,
    "disk": 60.0,
    "bucket": 120.0,
    "replay": 30.0,
}
_WORDS = {
    "init": "PID 1's state",
    "database": "the database's position",
    "waiting": "what waits in pg_wal",
    "disk": "the file system of pg_wal",
    "bucket": "the archive's listing",
    "replay": "the replay of this standby",
}


def ages(snapshot: Snapshot) -> dict[str, float]:
    """Return the seconds since each observation that applies now; infinite: never in this run."""
    applies = ["init", "database", "waiting"]
    if snapshot.database.accepting:
        applies += ["answer", "disk"]
    follows = snapshot.standby.phase == StandbyPhase.FOLLOWING
    if follows:
        applies.append("replay")
    # A future primary that is read-only because the archive has not answered fetches nothing.
    if snapshot.archive is not None and not (follows and snapshot.wanted_role == "primary"):
        applies.append("bucket")
    return {name: age_s(snapshot, name) for name in applies}


def age_s(snapshot: Snapshot, name: str) -> float:
    """Return the seconds since an observation, infinite when there was none in this run."""
    at_s = snapshot.times.get(name)
    return math.inf if at_s is None else max(0.0, snapshot.now_s - at_s)


def oldest_s(snapshot: Snapshot) -> float:
    """Return the age of the oldest observation that is shown."""
    return max((age for age in ages(snapshot).values() if age < math.inf), default=0.0)


def stale(snapshot: Snapshot) -> list[str]:
    """Return the reasons not to be protected: observations that are too old."""
    if snapshot.init.stopping:
        return []
    reasons = []
    for name, age in ages(snapshot).items():
        if age <= _LIMITS_S[name]:
            continue
        if name == "answer":
            reasons.append(f"not protected: {unanswered(snapshot)}")
        elif age == math.inf:
            reasons.append(f"not protected: {_WORDS[name]} has not been checked yet in this run")
        else:
            ago = units.show_duration(round(age))
            reasons.append(f"not protected: {_WORDS[name]} was last checked {ago} ago")
    return reasons


def unanswered(snapshot: Snapshot) -> str:
    """Return that postgres does not answer a new connection, "" when it does."""
    age = age_s(snapshot, "answer")
    if age <= ANSWERED_WITHIN_S:
        return ""
    why = f" ({snapshot.connection.problem})" if snapshot.connection.problem else ""
    if age == math.inf:
        return f"postgres has not yet answered a new connection{why}"
    return f"postgres has not answered a new connection for {units.show_duration(round(age))}{why}"

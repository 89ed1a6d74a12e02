"""What the probes answer: pure functions of one snapshot, each with its reasons.

Rule probes-do-not-kill.
"""

from dataclasses import dataclass

from walsup import units
from walsup.agent import freshness
from walsup.agent.snapshot import Snapshot
from walsup.agent.states import AuditState, GateState, RestorePhase, StandbyPhase
from walsup.agent.subject import Subject


@dataclass(frozen=True, slots=True, kw_only=True)
class ProbeAnswer:
    """An answer of a probe."""

    ok: bool
    reasons: tuple[str, ...] = ()


def live(_: Snapshot) -> ProbeAnswer:
    """Liveness: the agent answers. Never S3, never lag, never how long recovery takes."""
    return ProbeAnswer(ok=True)


def startup(seen: Snapshot) -> ProbeAnswer:
    """Startup: a plan is in progress, waiting for the archive included."""
    return ProbeAnswer(ok=True, reasons=tuple(filter(None, (seen.init.detail, _restoring(seen)))))


def ready(seen: Snapshot) -> ProbeAnswer:
    """Readiness: postgres accepts connections in the role of the settings; the rest is detail."""
    details = tuple(unprotected(seen))
    if seen.init.stopping:
        return ProbeAnswer(ok=False, reasons=("the container is stopping", *details))
    if not seen.database.accepting or seen.restore.phase == RestorePhase.RECOVERING:
        phase = seen.init.detail or _restoring(seen) or f"phase {seen.init.phase}"
        return ProbeAnswer(
            ok=False, reasons=(f"postgres does not accept connections ({phase})", *details)
        )
    if silence := freshness.unanswered(seen):
        return ProbeAnswer(ok=False, reasons=(silence, *details))
    if (seen.wanted_role, seen.database.role) == ("primary", "standby"):
        reason = "this is a standby; `walsup promote` makes it the primary"
        return ProbeAnswer(ok=False, reasons=(reason, *details))
    if seen.connection.full:
        full = "postgres answers, but all its connection slots are in use"
        return ProbeAnswer(ok=True, reasons=(full, *details))
    return ProbeAnswer(ok=True, reasons=details)


def _restoring(seen: Snapshot) -> str:
    """Return the progress of recovery; PID 1's detail has that of the fetch before it."""
    restore = seen.restore
    if restore.phase != RestorePhase.RECOVERING:
        return ""
    return (
        f"restore: recovering {restore.segment or 'its first segment'}, {restore.segments} of"
        f" {restore.total_segments} segments ({restore.percent}%)"
    )


def unprotected(seen: Snapshot) -> list[str]:
    """Return why losing this disk now would lose more than the lag; empty: protected."""
    if seen.standby.phase == StandbyPhase.FOLLOWING:
        return [*_not_following(seen), *freshness.stale(seen), *_faults(seen)]
    if seen.archive is None:
        return ["not protected: WALSUP_ARCHIVE is not set", *_faults(seen)]
    reasons = []
    if seen.gate.state != GateState.OPEN:
        reason = seen.gate.reason or "archiving is not enabled yet"
        reasons.append(f"not protected: archiving is disabled: {seen.gate.state} ({reason})")
    if not seen.backup.counts:
        reasons.append(f"not protected: no base backup is verified ({seen.backup.state})")
    if seen.gate.state == GateState.OPEN:
        reasons += [*_not_audited(seen), *freshness.stale(seen)]
    if seen.archive.startswith("file://") and seen.shared_with is None:
        reasons.append(
            "not protected: it is not yet known whether archive and data directory are on the"
            " same device"
        )
    shut = seen.faults.get(Subject.GATE) if seen.gate.state != GateState.OPEN else None
    if shut is not None:
        reasons[0] += f"; {shut.fault.cure}"
    reasons += _faults(seen, without=Subject.GATE if shut else None)
    if seen.disk.full_in_s is not None:
        shown = units.show_duration(_rounded(seen.disk.full_in_s))
        reasons.append(
            f"pg_wal will be full in about {shown} at the current rate; postgres then stops"
        )
    return reasons


def _not_audited(seen: Snapshot) -> list[str]:
    """Return why what was verified earlier may no longer be in the archive."""
    audit = seen.audit
    if audit.state == AuditState.WAITING or not audit.finished_at:
        before = f"; the last one ended {_ago(seen)} ago" if audit.finished_at else ""
        return [f"not protected: the archive has not been audited yet in this run{before}"]
    if audit.due_s and seen.at - audit.finished_at > audit.due_s:
        return [f"not protected: the last full audit of the archive ended {_ago(seen)} ago"]
    if audit.state == AuditState.FINDINGS:
        return [
            "not protected: the last audit of the archive found something missing or unexpected"
        ]
    return []


def _ago(seen: Snapshot) -> str:
    return units.show_duration(round(max(0.0, seen.at - seen.audit.finished_at)))


def _faults(seen: Snapshot, without: Subject | None = None) -> list[str]:
    return [
        f"{subject}: {fault.kind}: {fault.problem}; {fault.cure}"
        for subject, fault in ((s, standing.fault) for s, standing in seen.faults.items())
        if subject != without
    ]


def _not_following(seen: Snapshot) -> list[str]:
    """Return why a standby gets no WAL, or only archived WAL."""
    standby = seen.standby
    if standby.source == "nowhere":
        return [
            "not following: this standby gets WAL neither from the primary nor from the archive"
        ]
    if standby.streams and standby.source != "streaming":
        return ["not streaming: the primary cannot be reached; this standby follows the archive"]
    return []


def _rounded(duration_s: float) -> float:
    """Return a duration as precise as a forecast can be."""
    return next(
        (round(duration_s / unit_s) * unit_s for unit_s in (3600, 60) if duration_s >= 2 * unit_s),
        round(duration_s),
    )


def protected(seen: Snapshot) -> bool:
    """Return whether nothing takes protection away."""
    return not unprotected(seen)

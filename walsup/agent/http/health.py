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


def startup(snapshot: Snapshot) -> ProbeAnswer:
    """Startup: a plan is in progress, waiting for the archive included."""
    return ProbeAnswer(
        ok=True, reasons=tuple(filter(None, (snapshot.init.detail, _restoring(snapshot))))
    )


def ready(snapshot: Snapshot) -> ProbeAnswer:
    """Readiness: postgres accepts connections in the role of the settings; the rest is detail."""
    details = tuple(unprotected(snapshot))
    if snapshot.init.stopping:
        return ProbeAnswer(ok=False, reasons=("the container is stopping", *details))
    if not snapshot.database.accepting or snapshot.restore.phase == RestorePhase.RECOVERING:
        phase = snapshot.init.detail or _restoring(snapshot) or f"phase {snapshot.init.phase}"
        return ProbeAnswer(
            ok=False, reasons=(f"postgres does not accept connections ({phase})", *details)
        )
    if silence := freshness.unanswered(snapshot):
        return ProbeAnswer(ok=False, reasons=(silence, *details))
    if (snapshot.wanted_role, snapshot.database.role) == ("primary", "standby"):
        reason = "this is a standby; `walsup promote` makes it the primary"
        return ProbeAnswer(ok=False, reasons=(reason, *details))
    if snapshot.connection.full:
        full = "postgres answers, but all its connection slots are in use"
        return ProbeAnswer(ok=True, reasons=(full, *details))
    return ProbeAnswer(ok=True, reasons=details)


def _restoring(snapshot: Snapshot) -> str:
    """Return the progress of recovery; PID 1's detail has that of the fetch before it."""
    restore = snapshot.restore
    if restore.phase != RestorePhase.RECOVERING:
        return ""
    return (
        f"restore: recovering {restore.segment or 'its first segment'}, {restore.segments} of"
        f" {restore.total_segments} segments ({restore.percent}%)"
    )


def unprotected(snapshot: Snapshot) -> list[str]:
    """Return why losing this disk now would lose more than the lag; empty: protected."""
    if snapshot.standby.phase == StandbyPhase.FOLLOWING:
        return [*_not_following(snapshot), *freshness.stale(snapshot), *_faults(snapshot)]
    if snapshot.archive is None:
        return ["not protected: WALSUP_ARCHIVE is not set", *_faults(snapshot)]
    reasons = []
    if snapshot.gate.state != GateState.OPEN:
        reason = snapshot.gate.reason or "archiving is not enabled yet"
        reasons.append(f"not protected: archiving is disabled: {snapshot.gate.state} ({reason})")
    if not snapshot.backup.counts:
        reasons.append(f"not protected: no base backup is verified ({snapshot.backup.state})")
    if snapshot.gate.state == GateState.OPEN:
        reasons += [*_not_audited(snapshot), *freshness.stale(snapshot)]
    if snapshot.archive.startswith("file://") and snapshot.shared_with is None:
        reasons.append(
            "not protected: it is not yet known whether archive and data directory are on the"
            " same device"
        )
    shut = snapshot.faults.get(Subject.GATE) if snapshot.gate.state != GateState.OPEN else None
    if shut is not None:
        reasons[0] += f"; {shut.fault.cure}"
    reasons += _faults(snapshot, without=Subject.GATE if shut else None)
    if snapshot.disk.full_in_s is not None:
        duration = units.show_duration(_rounded(snapshot.disk.full_in_s))
        reasons.append(
            f"pg_wal will be full in about {duration} at the current rate; postgres then stops"
        )
    return reasons


def _not_audited(snapshot: Snapshot) -> list[str]:
    """Return why what was verified earlier may no longer be in the archive."""
    audit = snapshot.audit
    if audit.state == AuditState.WAITING or not audit.finished_at:
        before = f"; the last one ended {_ago(snapshot)} ago" if audit.finished_at else ""
        return [f"not protected: the archive has not been audited yet in this run{before}"]
    if audit.due_s and snapshot.at - audit.finished_at > audit.due_s:
        return [f"not protected: the last full audit of the archive ended {_ago(snapshot)} ago"]
    if audit.state == AuditState.FINDINGS:
        return [
            "not protected: the last audit of the archive found something missing or unexpected"
        ]
    return []


def _ago(snapshot: Snapshot) -> str:
    return units.show_duration(round(max(0.0, snapshot.at - snapshot.audit.finished_at)))


def _faults(snapshot: Snapshot, without: Subject | None = None) -> list[str]:
    return [
        f"{subject}: {fault.kind}: {fault.problem}; {fault.cure}"
        for subject, fault in ((s, standing.fault) for s, standing in snapshot.faults.items())
        if subject != without
    ]


def _not_following(snapshot: Snapshot) -> list[str]:
    """Return why a standby gets no WAL, or only archived WAL."""
    standby = snapshot.standby
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


def protected(snapshot: Snapshot) -> bool:
    """Return whether nothing takes protection away."""
    return not unprotected(snapshot)

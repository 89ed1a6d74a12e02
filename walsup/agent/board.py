"""The board on which the loops write what they have observed."""

import time
from dataclasses import replace

from walsup import log
from walsup.agent.snapshot import Gate, Snapshot, Standing
from walsup.agent.states import GateState
from walsup.agent.subject import Subject
from walsup.archive.faults import Fault
from walsup.redaction import redact_known


class Board:
    """The agent's shared state: the latest snapshot, which the loops replace piece by piece."""

    def __init__(self, archive: str | None) -> None:
        gate = Gate(state=GateState.OPENING if archive else GateState.NONE)
        self.snapshot = Snapshot(archive=archive, gate=gate, at=time.time())

    def begin(self, archive: str | None, wanted_role: str = "primary") -> None:
        """Set the archive and the role; archiving is about to be enabled if there is an archive."""
        gate = Gate(state=GateState.OPENING if archive else GateState.NONE)
        self.put(archive=archive, wanted_role=wanted_role, gate=gate)

    def put(self, **observed: object) -> None:
        """Replace pieces of the snapshot; each has been observed now."""
        times = {**self.snapshot.times, **dict.fromkeys(observed, time.monotonic())}
        self.snapshot = replace(
            self.snapshot,
            at=time.time(),
            times=times,
            **observed,  # type: ignore[arg-type]
        )

    def saw(self, observation: str) -> None:
        """Record the time of an observation that is not a piece of the snapshot."""
        times = {**self.snapshot.times, observation: time.monotonic()}
        self.snapshot = replace(self.snapshot, times=times)

    def shown(self) -> Snapshot:
        """Return the snapshot with the time at which it is shown."""
        return replace(self.snapshot, at=time.time(), now_s=time.monotonic())

    def fault(self, subject: Subject, fault: Fault) -> None:
        """Make a fault active, without secrets; log it when its kind is new for the subject."""
        fault = _without_secrets(fault)
        faults = dict(self.snapshot.faults)
        before = faults.get(subject)
        if before is not None and before.fault.kind == fault.kind:
            faults[subject] = replace(before, fault=fault)
        else:
            log.warning(
                "fault.appeared",
                subject=subject,
                kind=fault.kind,
                problem=fault.problem,
                remedy=fault.cure,
            )
            faults[subject] = Standing(fault=fault, since=time.time())
        self.put(faults=faults)

    def clear(self, subject: Subject) -> None:
        """End a fault."""
        if subject in self.snapshot.faults:
            faults = dict(self.snapshot.faults)
            gone = faults.pop(subject)
            log.info(
                "fault.cleared",
                subject=subject,
                kind=gone.fault.kind,
                stood_s=round(time.time() - gone.since, 1),
            )
            self.put(faults=faults)

    def attend(self, subject: Subject, fault: Fault | None) -> None:
        """Show that something needs a person's attention, or that it no longer does (None).

        It changes neither `protected` nor readiness, and is logged when its text is new.
        """
        standing = dict(self.snapshot.attention)
        before = standing.pop(subject, None)
        if fault is not None:
            fault = _without_secrets(fault)
            since = before.since if before is not None else time.time()
            standing[subject] = Standing(fault=fault, since=since)
        if standing == self.snapshot.attention:
            return
        self.put(attention=standing)
        if fault is not None:
            log.warning(
                "attention.wanted",
                subject=subject,
                kind=fault.kind,
                problem=fault.problem,
                remedy=fault.cure,
            )
        else:
            log.info("attention.ended", subject=subject)

    def cover(self, backup: str, start_lsn: int) -> None:
        """Mark the gaps before a verified base backup as covered."""
        gaps = self.snapshot.holes
        holes = tuple(
            replace(hole, covered_by=backup)
            if not hole.covered_by and hole.end_lsn <= start_lsn
            else hole
            for hole in gaps
        )
        if holes != gaps:
            self.put(holes=holes)
            log.info("hole.covered", by=backup)
        audit = self.snapshot.audit
        if audit.backups_from and start_lsn >= audit.backups_from:
            self.put(audit=replace(audit, backups_from=0))
        if not self.snapshot.needs_backup_from:
            self.clear(Subject.HOLE)


def _without_secrets(fault: Fault) -> Fault:
    return fault._replace(problem=redact_known(fault.problem), remedy=redact_known(fault.remedy))

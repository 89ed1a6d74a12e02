"""The audit of the agent's archive: rounds one after another, and what follows from each."""

import asyncio
import time
from collections.abc import Sequence
from dataclasses import replace

from walsup import log
from walsup.agent.audit import board_report, restore_window, round_scope, rounds
from walsup.agent.audit import ledger as remembered
from walsup.agent.audit.history_files import HistoryFiles
from walsup.agent.audit.ledger import SAVE_EVERY_S, State, compared
from walsup.agent.audit.repairs import Reading, SegmentRepair
from walsup.agent.audit.restore_window import Stretch
from walsup.agent.audit.round_result import Result
from walsup.agent.context import AgentContext
from walsup.agent.snapshot import BackupSeen, Hole
from walsup.archive.catalog.scope import Counted, Scope
from walsup.archive.listing_check.findings import RoundFindings
from walsup.archive.ownership.lease import Lease
from walsup.postgres.wal import Segment

_CONFIRM_S = 3.0
_SMALL_PAGES = 6  # an archive of so few pages is always listed completely
_SHORT_PAGES = 4
_MOST_ACCEPTED = 2048


class Auditor:
    """Runs the rounds and keeps their state, for one lease at a time."""

    def __init__(self, context: AgentContext) -> None:
        self._context = context
        self._repairs = SegmentRepair(context)
        self._histories = HistoryFiles(context)
        self._lease: Lease | None = None
        self._state: State | None = None
        self._document: remembered.AuditRecord | None = None
        self._written: tuple[float, tuple[Hole, ...]] = (-SAVE_EVERY_S, ())
        self._kept = remembered.LocalRecord()
        self._bad: tuple[Stretch, ...] = ()
        self._turn = asyncio.Lock()
        self.whole_s: float | None = None

    @classmethod
    def of(cls, context: AgentContext) -> "Auditor":
        """Return the agent's one auditor."""
        if context.session.auditor is None:
            context.session.auditor = cls(context)
        return context.session.auditor

    @property
    def has_looked(self) -> bool:
        """Whether a full round has ended since this lease began."""
        return self.whole_s is not None and self._holds_under(self._context.session.lease)

    @property
    def history_problem(self) -> str:
        """What the last full round found wrong with a history file, "" when nothing is."""
        return self._histories.problem

    @property
    def pages(self) -> int:
        """How many pages a full round lists."""
        return self._state.pages if self._state else 0

    @property
    def is_small(self) -> bool:
        """Whether every round lists the whole archive."""
        return self.pages <= _SMALL_PAGES

    @property
    def requests(self) -> int:
        """How many requests a usual round makes."""
        return max(2, self.pages) if self.is_small else _SHORT_PAGES

    async def look(
        self, *, whole: bool, head: Segment | None = None, confirm_s: float = _CONFIRM_S
    ) -> Result | None:
        """Carry out a round and act on it; None: this instance does not own the archive now.

        `head`: the segment up to which WAL must exist, None: up to what the lag has verified.

        Raises:
            FaultError: it could not be listed; OSError, ValueError: the data directory's files
            cannot be read; what the bucket raises.
        """
        async with self._turn:
            context, lease = self._context, self._context.session.lease
            if lease is None or context.session.bucket is None or context.session.meter is None:
                return None
            if self._holds_under(lease):
                self._go_on(lease)
            else:
                await self._begin(lease)
            began_s, proven = time.monotonic(), context.board.snapshot.backup
            scope = self._scope(lease, whole=whole, head=head)
            findings = await rounds.look(context, scope)
            if restore_window.minus(findings.missing, self._bad):
                # A retention job may be deleting: what it removes soon no longer counts.
                await asyncio.sleep(confirm_s)
                again = await rounds.look(context, scope)
                findings = replace(
                    again, missing=restore_window.both(again.missing, findings.missing)
                )
            now = context.session.lease
            if now is None or not now.is_held or not self._holds_under(now):
                return None
            result = await self._settle(scope, findings, proven)
            took_s = time.monotonic() - began_s
            if self._state is not None:
                board_report.publish(context, findings, result, took_s, self._state)
            return result

    def _holds_under(self, lease: Lease | None) -> bool:
        """Return whether the state holds under this lease: no other instance owned the archive.

        Each exchange of credentials brings a lease that continues the one before.
        """
        before = self._lease
        if lease is None or before is None or self._state is None:
            return False
        return lease is before or (
            not self._context.signals.adopted.is_set() and lease.continues(before)
        )

    def _go_on(self, lease: Lease) -> None:
        """Keep the state under a lease that continues the one before."""
        self._lease = lease
        if self._document is not None and self._context.session.bucket is not None:
            self._document.use(self._context.session.bucket)

    async def _begin(self, lease: Lease) -> None:
        """Read the state of earlier rounds, here and in the archive."""
        context = self._context
        if context.session.bucket is None:
            return
        archive, system_id = str(context.settings.archive), lease.owner.system_id
        document = remembered.AuditRecord(context.session.bucket)
        stored = await document.read(archive, system_id)
        here = self._state or await asyncio.to_thread(
            remembered.read, context.settings.pgdata, archive, system_id
        )
        # An archive that had no owner may have branches; they are shown by the restore list.
        state = remembered.newest(here, stored) or State(
            archive=archive, system_id=system_id, accept_branches=lease.owner.epoch == 1
        )
        if here is not None and here.is_after(lease.owner.epoch, lease.owner.boot):
            state = self._went_back(here, lease)
        if context.signals.adopted.is_set():
            context.signals.adopted.clear()
            state = replace(state, accept_branches=True)
        state = replace(state, epoch=lease.owner.epoch, boot=lease.owner.boot)
        self._state, self._document, self._lease, self.whole_s = state, document, lease, None
        known_gaps = {hole.first for hole in context.board.snapshot.holes}
        more = (gap for gap in state.gaps if gap.first not in known_gaps)
        context.board.put(holes=(*context.board.snapshot.holes, *more))
        board_report.waiting(context, state)

    def _went_back(self, here: State, lease: Lease) -> State:
        """Return the first state for an archive that was reset to an earlier state.

        Its objects may be older than those that were verified: no base backup in it counts.
        """
        context, owner = self._context, lease.owner
        mark = context.session.meter.mark if context.session.meter else None
        if mark is None:
            return here
        log.warning("archive.went_back", epoch=owner.epoch, known_epoch=here.epoch)
        board_report.went_back(context, owner.epoch, here.epoch)
        context.signals.gap_found.set()
        head = here.last.head if here.last else 0
        return State(
            archive=here.archive,
            system_id=here.system_id,
            window=here.window,
            gaps=here.gaps,
            branches_until=here.branches_until,
            accept_branches=False,
            backups_from=(max(mark.number, head) + 1) * mark.size,
        )

    def _scope(self, lease: Lease, *, whole: bool, head: Segment | None) -> Scope:
        if self._state is None:
            raise RuntimeError("an audit without a state")
        whole = whole or self.is_small
        return round_scope.of(self._context, self._state, lease, whole=whole, head=head)

    async def _settle(self, scope: Scope, findings: RoundFindings, proven: BackupSeen) -> Result:
        context, whole = self._context, scope.first == 0
        reading = await self._repairs.read(scope, findings)
        names = (*reading.damaged, *findings.damaged)
        bad = restore_window.merged(
            (*findings.missing, *restore_window.numbers_of(names, scope.size))
        )
        if not whole:
            bad = restore_window.merged(
                (*bad, *restore_window.minus(self._bad, [(scope.first, 1 << 62)]))
            )
        pushed, waits = await self._repairs.repair(scope, bad)
        history = await self._histories.check(scope, findings)
        lost = restore_window.without(bad, pushed | waits)
        unfit = context.board.snapshot.audit.unfit_backups
        oldest = self._conclude(scope, findings, lost, proven)
        is_new = bool(context.board.snapshot.audit.unfit_backups.keys() - unfit.keys())
        self._remember(scope, findings, reading, whole=whole)
        self._bad = bad
        if whole:
            self.whole_s = time.monotonic()
        await self._save()
        return Result(scope, oldest, bad, lost, reading.unread, whole, is_new, history)

    def _conclude(
        self, scope: Scope, findings: RoundFindings, lost: Sequence[Stretch], proven: BackupSeen
    ) -> Counted | None:
        """Show gaps and base backups, and wake the loop that takes new ones.

        Returns the oldest base backup that counts.
        """
        context, lease = self._context, self._lease
        before = context.board.snapshot.holes
        since_lsn = max(lease.owner.backups_from if lease else 0, self._demanded)
        current = context.board.snapshot.backup
        fresh = current.name if current.counts and current != proven else ""
        judged = restore_window.evaluate(
            scope, findings, lost, before, since_lsn=since_lsn, fresh=fresh
        )
        context.board.put(holes=judged.gaps)
        board_report.losses(context, judged)
        board_report.unfit(context, judged.unfit)
        if board_report.gaps(context, before, judged):
            context.signals.gap_found.set()
        oldest = judged.good[0] if judged.good else None
        if not proven.counts or context.board.snapshot.backup != proven:
            return oldest
        problem = judged.unfit.get(proven.name, "")
        if proven.name not in {one.name for one in findings.backups}:
            problem = "its sentinel is no longer in the archive"
        if problem:
            board_report.base_backup(context, proven, problem)
            context.signals.gap_found.set()
        return oldest

    @property
    def _demanded(self) -> int:
        """The LSN from which base backups count, because the archive was reset."""
        return self._context.board.snapshot.audit.backups_from

    def _remember(
        self, scope: Scope, findings: RoundFindings, reading: Reading, *, whole: bool
    ) -> None:
        state = self._state
        if state is None:
            return
        still_damaged = {
            name: state.damaged[name] for name in findings.damaged if name in state.damaged
        }
        accepted = [*state.accepted.items(), *reading.accepted.items()][-_MOST_ACCEPTED:]
        state = replace(
            state,
            accepted=dict(accepted),
            damaged=(still_damaged if whole else state.damaged) | reading.damaged,
            backups={one.name: one for one in findings.backups},
            gaps=self._context.board.snapshot.holes,
            backups_from=self._demanded,
        )
        if whole and findings.round is not None:
            state = compared(state, scope, findings, reading.until)
            if reading.until < 0:
                self._forget_verified(scope)
        if whole:
            accepted_until = findings.branches_until if state.accept_branches else 0.0
            state = replace(
                state,
                window=findings.begin if findings.begin >= 0 else state.window,
                day=max(0, findings.day),
                pages=findings.pages,
                branches_until=max(state.branches_until, accepted_until),
                accept_branches=False,
                finished_at=time.time(),
            )
        self._state = state

    def _forget_verified(self, scope: Scope) -> None:
        """Drop what a round has compared: from now on its state has them."""
        verified = self._context.session.verified
        for name in [name for name in verified if name in scope.known]:
            del verified[name]

    async def _save(self) -> None:
        """Save a changed state in the data directory, and sometimes in the archive."""
        state, document, now_s = self._state, self._document, time.monotonic()
        if state is None or document is None:
            return
        try:
            if self._kept.is_due(state, now_s):
                await asyncio.to_thread(remembered.write, self._context.settings.pgdata, state)
                self._kept.note(state, now_s)
        except OSError as raised:
            log.warning("audit.not_remembered", problem=str(raised))
        written_s, gaps = self._written
        if gaps == state.gaps and now_s - written_s < SAVE_EVERY_S:
            return
        if not await document.write(state):
            await document.read(state.archive, state.system_id)
            await document.write(state)
        self._written = (now_s, state.gaps)

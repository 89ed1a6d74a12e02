"""What a round of the audit looks at: from the lease, the state so far and pg_wal's history."""

from walsup.agent.audit.ledger import State
from walsup.agent.context import AgentContext
from walsup.archive.catalog.scope import Scope
from walsup.archive.catalog.timelines import TimelineHistory
from walsup.archive.ownership.lease import Lease
from walsup.postgres import pg_control
from walsup.postgres.wal import Segment
from walsup.postgres.wal_files import timeline_history

_NEAR = 900  # segments before the head that a short round lists at least


def of(
    context: AgentContext, state: State, lease: Lease, *, whole: bool, head: Segment | None
) -> Scope:
    """Return the scope of a round; `head`: as `Auditor.look` has it."""
    if context.session.meter is None:
        raise RuntimeError("an audit without a meter")
    pgdata, mark = context.settings.pgdata, head or context.session.meter.mark
    timeline = max(pg_control.read(pgdata).timeline, context.board.snapshot.database.timeline)
    line = TimelineHistory.of(timeline, timeline_history.left(pgdata, timeline))
    # The last segment number that belongs to a timeline which ended.
    ends = [leg.end_lsn for leg in line.legs if leg.timeline == mark.timeline]
    last = ends[0] // mark.size - 1 if ends and ends[0] is not None else mark.number
    number = min(mark.number, last)
    return Scope(
        system_id=lease.owner.system_id,
        line=line,
        size=mark.size,
        head=number,
        first=0 if whole else max(0, min(state.day, number - _NEAR)),
        window=state.window,
        last=state.last,
        reread=state.reread,
        blocks=state.blocks,
        accepted=state.accepted,
        known={**state.known, **state.accepted, **context.session.verified},
        damaged=state.damaged,
        backups=state.backups,
        branches_until=float("inf") if state.accept_branches else state.branches_until,
    )

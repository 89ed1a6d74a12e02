"""What the owner object says about the archive: up to which LSN and which time it is complete.

The time is that of the database's clock, which stamps its commits, and at most the bucket's. No
lease is calculated from it.
"""

import time

from walsup.agent.context import AgentContext
from walsup.archive.owner_record import Tablespace
from walsup.archive.ownership.lease import Proven
from walsup.errors import WalsupError
from walsup.postgres import pg_control
from walsup.postgres.tablespaces import locations
from walsup.postgres.wal import Segment

_COMMIT_MARGIN_S = 2.0


def proven(
    context: AgentContext, mark: Segment, *, ended: bool = False, verdict: str = ""
) -> Proven:
    """Return what the owner object has to say: the last contiguous segment and uncovered gaps.

    `ended`: the database has ended, and none of its WAL is missing.
    """
    return Proven(
        mark.timeline,
        mark.end_lsn,
        context.board.snapshot.needs_backup_from,
        _now(context) if ended else _complete_until(context),
        context.session.continuity.position,
        verdict,
        time.time() if verdict else 0.0,
        tablespaces=_tablespaces(context),
        limits=_limits(context),
    )


def _limits(context: AgentContext) -> tuple[tuple[str, int], ...]:
    """Return the five settings that recovery compares, as this run has them."""
    try:
        return pg_control.read(context.settings.pgdata).limits
    except WalsupError:
        return ()  # nothing new is known


def _tablespaces(context: AgentContext) -> tuple[Tablespace, ...]:
    """Return the places of the tablespaces: WAL creates those that no base backup has."""
    links = locations.links(context.settings.pgdata)
    return tuple(sorted(Tablespace(int(number), str(place)) for number, place in links))


def _complete_until(context: AgentContext) -> float:
    """Return until when all commits are verified, by the clock that stamps them; 0: not known."""
    complete_s = context.session.meter.complete_s if context.session.meter is not None else None
    if complete_s is None:
        return 0.0
    # A commit gets its timestamp a moment before its position in the WAL.
    return _now(context) - (time.monotonic() - complete_s) - _COMMIT_MARGIN_S


def _now(context: AgentContext) -> float:
    """Return the time of day, at most the bucket's: this node's clock may be wrong."""
    theirs = context.session.bucket.now() if context.session.bucket is not None else 0.0
    return min(time.time(), theirs) if theirs else time.time()

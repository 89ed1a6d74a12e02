"""Reads suspect objects in the archive, and pushes lost segments again."""

import asyncio
import time
from collections.abc import Sequence
from typing import NamedTuple

from walsup import log
from walsup.agent import segment_contents
from walsup.agent.audit import board_report, push_again
from walsup.agent.audit.restore_window import Stretch
from walsup.agent.context import AgentContext
from walsup.archive.catalog.archive_reader import Reader
from walsup.archive.catalog.scope import Scope, Stamp
from walsup.archive.engine import decryption
from walsup.archive.engine.adapter import Engine
from walsup.archive.engine.scratch import scratch
from walsup.archive.listing_check.findings import RoundFindings, Suspect
from walsup.postgres.wal import Segment

_MOST_READ = 16
_MOST_PUSHED = 64
_AGAIN_S = 30.0
_ENCRYPTION_VARIES_BYTES = 8


class Reading(NamedTuple):
    """What was read: damaged objects, those that are right, and how many are still to be read.

    `until`: number of the first segment that is still to be read, -1: none is.
    """

    damaged: dict[str, Stamp]
    accepted: dict[str, Stamp]
    unread: int
    until: int


class SegmentRepair:
    """Remembers its pushes, so that a push that changes nothing is not repeated at once."""

    def __init__(self, context: AgentContext) -> None:
        self._context = context
        self._pushed_s: dict[int, float] = {}

    async def read(self, scope: Scope, findings: RoundFindings) -> Reading:
        """Read a number of suspects; those suspect only by the order of their times come last."""
        strong = sorted(one for one in findings.suspects if one.why != "order")
        weak = [one for one in findings.suspects if one.why == "order"]
        damaged: dict[str, Stamp] = {}
        accepted: dict[str, Stamp] = {}
        unread, reads = findings.more_suspects, 0
        left = [findings.least_unshown] if findings.more_suspects else []
        for suspect in (*strong, *weak):
            problem: str | None = None
            if suspect.why == "empty":
                problem = "it is empty"
            elif reads < _MOST_READ:
                reads += 1
                problem = await self._problem(scope, suspect)
            if problem is None:
                if suspect.why != "order":
                    unread += 1
                    left.append(Segment.parse(suspect.name, scope.size).number)
            elif problem:
                damaged[suspect.name] = suspect.stamp
                log.warning("segment.damaged", name=suspect.name, problem=problem)
            else:
                accepted[suspect.name] = suspect.stamp
                log.info("segment.read", name=suspect.name, why=suspect.why)
        return Reading(damaged, accepted, unread, min(left, default=-1))

    async def _problem(self, scope: Scope, suspect: Suspect) -> str | None:
        context = self._context
        if context.session.bucket is None or not isinstance(context.session.engine, Engine):
            return None
        if decryption.lacking(context.settings):
            return _unread(scope, suspect)
        pgdata = context.settings.pgdata
        expected = _expected(scope, Segment.parse(suspect.name, scope.size))
        with scratch(context.run_dir, pgdata, scope.size, name="audit-scratch") as place:
            reader = Reader(
                bucket=context.session.bucket,
                engine=context.session.engine,
                config=context.engine_config,
                scratch=place,
                secrets=context.secrets(),
            )
            return await segment_contents.problem(reader, pgdata / "pg_wal", expected)

    async def repair(self, scope: Scope, bad: Sequence[Stretch]) -> tuple[set[int], set[int]]:
        """Push what pg_wal still has; return what was pushed, and what waits for another try."""
        pushed: set[int] = set()
        waits: set[int] = set()
        for segment in await asyncio.to_thread(self._here, scope, bad):
            tried_s = self._pushed_s.get(segment.number, -_AGAIN_S)
            if len(pushed) >= _MOST_PUSHED or time.monotonic() - tried_s < _AGAIN_S:
                waits.add(segment.number)
                continue
            self._pushed_s[segment.number] = time.monotonic()
            self._context.session.verified.pop(segment.name, None)
            board_report.pushing(self._context, segment.name)
            done = await push_again.push(self._context, segment.name)
            (pushed if done else waits).add(segment.number)
        return pushed, waits

    def _here(self, scope: Scope, bad: Sequence[Stretch]) -> list[Segment]:
        """Return the segments among them that pg_wal has completely."""
        pg_wal = self._context.settings.pgdata / "pg_wal"
        segments = []
        for path in sorted(pg_wal.iterdir()) if bad else ():
            try:
                segment = Segment.parse(path.name, scope.size)
            except ValueError:
                continue
            is_bad = any(first <= segment.number <= last for first, last in bad)
            if not is_bad or scope.segment(segment.number) != segment:
                continue
            if problem := segment_contents.wrong(path, _expected(scope, segment)):
                log.warning("segment.not_pushed", name=segment.name, problem=problem)
            else:
                segments.append(segment)
        return segments


def _unread(scope: Scope, suspect: Suspect) -> str | None:
    """Compare the size of an object that cannot be decrypted here; None: its old size is unknown.

    A repeated push differs only by the random numbers of its encryption.
    """
    before = scope.known.get(suspect.name)
    if before is None:
        return None
    is_alike = abs(before.size_bytes - suspect.stamp.size_bytes) <= _ENCRYPTION_VARIES_BYTES
    return "" if is_alike else f"it has {suspect.stamp.size_bytes} bytes, not {before.size_bytes}"


def _expected(scope: Scope, segment: Segment) -> segment_contents.Expected:
    timelines = (leg.timeline for leg in scope.line.legs if leg.timeline <= segment.timeline)
    return segment_contents.Expected(segment, scope.system_id, frozenset(timelines))

"""Objects of another writer under the names of this server's own segments.

An object counts as this server's segment only when the server had finished the segment before
the listing, and when the archiver has confirmed it (no `.ready` is left) or its bytes are those
of pg_wal: the engine rejects a push to a name that has other bytes, and it stays `.ready`.
"""

import itertools
import time
from collections.abc import Collection
from typing import NamedTuple

from walsup import log, units
from walsup.agent import segment_contents
from walsup.agent.context import AgentContext
from walsup.agent.lag_meter import WritePosition
from walsup.agent.subject import Subject
from walsup.archive.catalog import listing
from walsup.archive.catalog.archive_reader import PERMANENT, Reader
from walsup.archive.catalog.listing import Run
from walsup.archive.catalog.scope import Stamp
from walsup.archive.engine import decryption
from walsup.archive.engine.adapter import Engine
from walsup.archive.engine.scratch import scratch, scratch_if_room
from walsup.archive.faults import Fault, FaultError, FaultKind
from walsup.archive.ownership import divergence
from walsup.archive.ownership.divergence import Sides
from walsup.archive.storage.bucket import Bucket
from walsup.postgres import pg_control
from walsup.postgres.wal import Segment, show_lsn
from walsup.postgres.wal_files import timeline_history

_SETTLE_S = 3.0  # a push that has uploaded its object is confirmed a moment later
_AGAIN_S = 10.0
_UNCOMPARED_S = 30.0  # for how long an object that cannot be compared may be this server's
_SHOWN = 3
_REMEDY = (
    "find the program that has written it (another server's archive_command, a copy of this volume,"
    " a .ready file made by hand?), and remove the object; this server's segment is archived then"
)

_LOOK_REMEDY = (
    "find out whether another program archives to this prefix, and compare the object with the file"
    " in pg_wal before you remove anything"
)

_OTHER_BYTES = "its bytes differ from the same segment in pg_wal"
_COUNTER = itertools.count()  # a stop compares while the lag's listing does


class ObjectComparison(NamedTuple):
    """What is wrong with an object ("": nothing; None: it could not be read), and when."""

    stamp: Stamp
    problem: str | None
    at_s: float

    def holds(self, stamp: Stamp, now_s: float) -> bool:
        """Return whether it need not be compared again."""
        lasts = self.problem in ("", _OTHER_BYTES)
        return self.stamp == stamp and (lasts or now_s - self.at_s < _AGAIN_S)


class Ahead(NamedTuple):
    """An object of a segment that is finished by the server's files, but not by its position.

    `problem`: as in ObjectComparison; `since_s`: when it was first compared.
    """

    problem: str | None
    since_s: float
    at_s: float

    @property
    def is_told(self) -> bool:
        """Whether it is a fault."""
        return bool(self.problem) or (
            self.problem is None and self.at_s - self.since_s >= _UNCOMPARED_S
        )


class Conflicts:
    """Remembers from listing to listing which names are doubtful."""

    def __init__(self, context: AgentContext, *, settle_s: float = _SETTLE_S) -> None:
        """`settle_s`: how long an object and its `.ready` may both exist before it is compared."""
        self._context = context
        self._settle_s = settle_s
        self._place = f"conflict-{next(_COUNTER)}"
        self._listed_early: set[str] = set()
        self._since_s: dict[str, float] = {}
        self._compared: dict[str, ObjectComparison] = {}
        self._ahead: dict[str, Ahead] = {}
        self._listed: set[str] = set()
        self._unreached: tuple[Segment, ...] = ()
        self._is_confirmed = True

    @property
    def has_found(self) -> bool:
        """Whether an object under the name of a finished segment is another program's."""
        return any(found.problem for found in self._compared.values())

    @property
    def is_unsure(self) -> bool:
        """Whether the next listing has to show if a name is really ahead of the server."""
        is_open = any(one.problem is None and not one.is_told for one in self._ahead.values())
        return is_open or (bool(self._unreached) and not self._is_confirmed)

    async def advance(self, bucket: Bucket, mark: Segment, reached: WritePosition) -> Run:
        """Return the run of segments after `mark` that are this server's.

        `reached`: the server's position, read before this call.

        Raises:
            what the bucket raises; OSError: files of the data directory cannot be read.
        """
        run = await listing.advance(bucket, mark, reached.lsn)
        self._listed = {name for name, _ in run.verified}
        for name in self._listed:
            self._since_s.setdefault(name, time.monotonic())
        for at, (name, stamp) in enumerate(run.verified):
            if not await self._is_own(bucket, Segment.parse(name, mark.size), stamp):
                last = Segment.parse(name, mark.size).previous()
                return run._replace(mark=last, verified=run.verified[:at])
        return run

    async def note(
        self, bucket: Bucket, run: Run, reached: WritePosition, now_lsn: int | None
    ) -> None:
        """Note what is listed ahead of the server, whose position is `now_lsn` after the listing.

        None: it is not known, which proves nothing against an object. PostgreSQL makes a segment
        `.ready` before it shows the position, and its WAL is synced in between: what is ahead is
        confirmed by a second listing, and what is `.ready` by its bytes.

        Raises:
            what the bucket raises; OSError: files of the data directory cannot be read.
        """
        early = [one for one in run.beyond if now_lsn is None or one.end_lsn > now_lsn]
        self._listed_early.update(one.name for one in early)
        before = set(self._unreached)
        is_known = now_lsn is not None and run.mark.timeline == reached.timeline
        self._unreached = tuple(early) if is_known else ()
        self._is_confirmed = before.issuperset(self._unreached)
        self._forget(run.mark)
        confirmed = [one for one in self._unreached if one in before]
        finished = [one for one in confirmed if self._is_finished(one.name)]
        await self._compare_ahead(bucket, finished)
        lsn = reached.lsn if now_lsn is None else now_lsn
        if fault := self.fault([one for one in confirmed if one not in finished], lsn):
            self._context.board.fault(Subject.NAMES, fault)
        elif now_lsn is not None and not self.is_unsure:
            self._context.board.clear(Subject.NAMES)

    def at_end(self, run: Run, end: WritePosition) -> str:
        """Return what is wrong when the server has ended at `end` for good, "" when nothing is."""
        unreached = run.beyond if run.mark.timeline == end.timeline else ()
        fault = self.fault(unreached, end.lsn)
        return fault.problem if fault else ""

    def fault(self, unreached: Collection[Segment], lsn: int) -> Fault | None:
        """Return what is wrong with names that are listed, None: nothing."""
        problems = {name: one.problem for name, one in self._ahead.items() if one.is_told}
        problems |= {name: one.problem for name, one in self._compared.items() if one.problem != ""}
        sentences = [
            f"another program has written segment {name} in the archive: {problem}"
            if problem
            else f"segment {name} is in the archive, but could not be compared with pg_wal"
            for name, problem in problems.items()
        ]
        is_proven = bool(unreached) or any(problems.values())
        if names := [one.name for one in unreached]:
            sentences.append(
                f"another program has written segment {units.abbreviate(names, _SHOWN)} in"
                f" the archive: this server writes at {show_lsn(lsn)} and has not finished it"
            )
        remedy = _REMEDY if is_proven else _LOOK_REMEDY
        return (
            Fault(FaultKind.OVERWRITE_CONFLICT, "; ".join(sentences), remedy) if sentences else None
        )

    def _is_finished(self, name: str) -> bool:
        """Return whether PostgreSQL has finished the segment, which its archiver can push then."""
        pg_wal = self._context.settings.pgdata / "pg_wal"
        status = pg_wal / "archive_status"
        # In this order: the archiver renames the one to the other.
        is_noted = (status / f"{name}.ready").exists() or (status / f"{name}.done").exists()
        return is_noted and (pg_wal / name).exists()

    async def _compare_ahead(self, bucket: Bucket, finished: Collection[Segment]) -> None:
        """Compare with pg_wal what the server has finished and its position does not show yet."""
        known, self._ahead = self._ahead, {}
        for segment in finished:
            now_s = time.monotonic()
            one = known.get(segment.name)
            if one is None or (one.problem != "" and now_s - one.at_s >= _AGAIN_S):
                problem = await self._problem(bucket, segment)
                if problem is None and one is not None:
                    problem = one.problem  # what was seen stands until it is disproved
                one = Ahead(problem, one.since_s if one else now_s, now_s)
            self._ahead[segment.name] = one

    async def _is_own(self, bucket: Bucket, segment: Segment, stamp: Stamp) -> bool:
        """Return whether an object is this server's segment."""
        name, pgdata = segment.name, self._context.settings.pgdata
        waits = (pgdata / "pg_wal" / "archive_status" / f"{name}.ready").exists()
        is_early = name in self._listed_early
        if not is_early and (not waits or name in self._context.session.swept):
            self._compared.pop(name, None)
            return True
        if decryption.lacking(self._context.settings):
            return not waits  # a push replaces it, and is confirmed afterwards
        now_s = time.monotonic()
        if not is_early and now_s - self._since_s[name] < self._settle_s:
            return False
        comparison = self._compared.get(name)
        if comparison is None or not comparison.holds(stamp, now_s):
            problem = await self._problem(bucket, segment)
            comparison = self._compared[name] = ObjectComparison(stamp, problem, now_s)
        return comparison.problem == ""

    async def _problem(self, bucket: Bucket, segment: Segment) -> str | None:
        """Compare an object with pg_wal, a second time when it seems to be damaged."""
        if decryption.lacking(self._context.settings):
            status = self._context.settings.pgdata / "pg_wal" / "archive_status"
            return None if (status / f"{segment.name}.ready").exists() else ""
        problem = await self._compare(bucket, segment)
        if problem not in ("", _OTHER_BYTES):
            # An engine that was killed may report the same as for a damaged object.
            problem = await self._compare(bucket, segment)
        log.info("segment.compared", name=segment.name, problem=problem)
        return problem

    async def _compare(self, bucket: Bucket, segment: Segment) -> str | None:
        """Compare an object with pg_wal; with its own pages when postgres has removed the file.

        None: it could not be read now.
        """
        context, name = self._context, segment.name
        engine, run_dir, pgdata = context.session.engine, context.run_dir, context.settings.pgdata
        if not isinstance(engine, Engine):
            return None
        try:
            if not (pgdata / "pg_wal" / name).exists():
                with scratch(run_dir, pgdata, segment.size, self._place) as place:
                    reader = Reader(
                        bucket=bucket,
                        engine=engine,
                        config=context.engine_config,
                        scratch=place,
                        secrets=context.secrets(),
                    )
                    return await segment_contents.problem(
                        reader, pgdata / "pg_wal", self._expected(segment)
                    )
            with scratch_if_room(run_dir, pgdata, segment.size, self._place) as room:
                sides = Sides(
                    bucket, engine, context.engine_config, pgdata, room, context.secrets()
                )
                is_same = await divergence.same(sides, name)
        except FaultError as raised:
            if raised.fault.kind not in PERMANENT:
                return None
            return f"it cannot be decompressed or decrypted ({raised.fault.problem[:200]})"
        except FileNotFoundError:
            return None  # postgres has removed it meanwhile
        return "" if is_same else _OTHER_BYTES

    def _expected(self, segment: Segment) -> segment_contents.Expected:
        pgdata = self._context.settings.pgdata
        system_id = pg_control.read(pgdata).system_id
        return segment_contents.Expected(
            segment, system_id, frozenset(timeline_history.own(pgdata))
        )

    def _forget(self, mark: Segment) -> None:
        """Drop what was remembered of segments up to the mark, and of objects that are removed."""
        self._listed_early = {name for name in self._listed_early if name > mark.name}
        kept = self._listed - {mark.name}
        self._compared = {name: one for name, one in self._compared.items() if name in kept}
        self._since_s = {name: at_s for name, at_s in self._since_s.items() if name in kept}

"""Measures the lag: WAL on the disk that is not yet verified in the bucket. Pure."""

from collections import deque
from dataclasses import dataclass, replace
from typing import NamedTuple

from walsup.agent.idle_detection import IdleDetector, Xids
from walsup.postgres.wal import Segment

_MOST_SAMPLES = 4096


@dataclass(frozen=True, slots=True, kw_only=True)
class Lag:
    """`segments` counts finished ones; `bytes` None: the current LSN is not known.

    `current_lsn`: postgres's position that it was measured from, 0 when that is not known.
    """

    known: bool = False
    segments: int = 0
    bytes: int | None = None
    seconds: float = 0.0
    idle: bool = False
    proven_lsn: int = 0
    current_lsn: int = 0


class WritePosition(NamedTuple):
    """Where the server writes. A segment is finished when its end is not after `lsn`."""

    timeline: int
    lsn: int


class Meter:
    """Measures the lag from two independent sides: postgres's LSN and the bucket's listing."""

    def __init__(self, origin: Segment, *, waiting_since_s: float | None = None) -> None:
        """`origin`: the last segment that need not be verified (the one before the claim).

        `waiting_since_s`: since when something has been waiting, if that is known.
        """
        self.mark = origin
        self.switched_s: float | None = None
        self._current: Segment | None = None
        self._lsn = 0
        self._idle = IdleDetector()
        self._first_segments: dict[int, int] = {}
        self._unproven: deque[tuple[float, int]] = deque()
        self._waiting_since_s = waiting_since_s
        self._asked: deque[tuple[float, int]] = deque(maxlen=_MOST_SAMPLES)
        self.complete_s: float | None = None

    def sample(  # noqa: PLR0913 (each is one fact)
        self,
        now_s: float,
        lsn: int,
        timeline: int,
        xmax: int,
        xmin: int | None = None,
        *,
        asked_s: float | None = None,
    ) -> None:
        """Record postgres's position and the next xid that it would assign.

        `xmin`: the oldest xid in progress, `xmax` when there is none, as a snapshot has them.
        `asked_s`: when the query was sent: earlier commits are before the position.
        """
        current = Segment.containing(lsn, timeline, self.mark.size)
        switched = self._current is not None and current.number > self._current.number
        if switched or self.switched_s is None:
            self.switched_s = now_s
        if timeline > self.mark.timeline and timeline not in self._first_segments:
            self.follow(timeline, lsn)
        if asked_s is not None:
            self._asked.append((asked_s, lsn))
        self._current, self._lsn = current, lsn
        self._idle.sample(Xids(xmax, xmax if xmin is None else xmin), switched=switched)
        if not self._unproven or lsn > self._unproven[-1][1]:
            since_s = now_s if self._waiting_since_s is None else self._waiting_since_s
            self._waiting_since_s = None
            self._unproven.append((since_s, lsn))
        self._forget()

    def follow(self, timeline: int, switch_lsn: int) -> None:
        """Record where a timeline begins, according to its .history file.

        Its first segment is the one with that byte; those before it have only the name of the
        timeline that ended. Without this call the first position seen counts as the beginning.
        """
        self._first_segments[timeline] = switch_lsn // self.mark.size
        self._forget()

    def proven(self, mark: Segment) -> None:
        """Record the last contiguous segment in the bucket; it never goes back."""
        if (mark.timeline, mark.number) > (self.mark.timeline, self.mark.number):
            self.mark = mark
            self._forget()

    def skip(self, available: Segment) -> None:
        """Continue measuring with this segment: those between the mark and it are lost."""
        self.proven(replace(available, number=available.number - 1))

    def switched(self, now_s: float, xmax: int, xmin: int | None = None) -> None:
        """Record a switch by the agent: the xids were read before it in the same statement."""
        self._idle.switched(Xids(xmax, xmax if xmin is None else xmin))
        self.switched_s = now_s

    @property
    def has_finished_segments(self) -> bool:
        """Whether a listing could verify more than is verified."""
        return self._current is not None and self.mark.number < self._current.number - 1

    @property
    def position(self) -> WritePosition | None:
        """Where the server was at the last sample; None: there was none yet."""
        return WritePosition(self._current.timeline, self._lsn) if self._current else None

    def needs_switch(self, now_s: float, timeout_s: float) -> bool:
        """Whether something has been in the current segment for too long without a switch."""
        lag = self.read(now_s)
        overdue = self.switched_s is not None and now_s - self.switched_s > timeout_s
        return lag.known and overdue and not lag.idle and not self.has_finished_segments

    @property
    def doubtful(self) -> tuple[Segment, int] | None:
        """The current segment and the position in it, if reading the WAL between could show more.

        That is so while a transaction that was open at the switch keeps its xid: what was written
        since may be its commit, or belong to no transaction.
        """
        current = self._current
        if current is None or self.has_finished_segments or self._is_idle(current):
            return None
        return (current, self._lsn) if self._idle.wants_wal(current, self._lsn) else None

    def looked(self, lsn: int, *, quiet: bool) -> None:
        """Record what the WAL shows from the current segment's start up to this position.

        `quiet`: no record in it belongs to a transaction.
        """
        self._idle.looked(lsn, quiet=quiet)
        self._forget()

    def read(self, now_s: float) -> Lag:
        """Return the current lag."""
        if self._current is None:
            return Lag(proven_lsn=self.mark.end_lsn)
        if self._is_idle(self._current):
            return Lag(
                known=True,
                bytes=0,
                idle=True,
                proven_lsn=self.mark.end_lsn,
                current_lsn=self._lsn,
            )
        since_s = self._unproven[0][0] if self._unproven else now_s
        return Lag(
            known=True,
            segments=max(0, self._current.number - self.mark.number - 1),
            bytes=max(0, self._lsn - self.mark.end_lsn),
            seconds=max(0.0, now_s - since_s),
            proven_lsn=self.mark.end_lsn,
            current_lsn=self._lsn,
        )

    def _is_idle(self, current: Segment) -> bool:
        return self._idle.is_idle(self.mark, current, self._lsn)

    def _forget(self) -> None:
        """Drop samples that no longer wait; join samples when there are too many."""
        for timeline, first in sorted(self._first_segments.items()):
            if timeline > self.mark.timeline and self.mark.number >= first - 1:
                self.mark = Segment(timeline=timeline, number=first - 1, size=self.mark.size)
        idle = self._current is not None and self._is_idle(self._current)
        while self._asked and (idle or self._asked[0][1] <= self.mark.end_lsn):
            # Every commit before that query is verified by now.
            self.complete_s = self._asked.popleft()[0]
        while self._unproven and self._unproven[0][1] <= self.mark.end_lsn:
            self._unproven.popleft()
        if idle:
            # The bytes that an idle database keeps are not the age of what is written later.
            self._unproven.clear()
        if len(self._unproven) > _MOST_SAMPLES:
            samples = [*self._unproven]
            # The earlier time with the later position: better too old than too young.
            pairs = zip(samples[::2], [*samples[1::2], samples[-1]], strict=False)
            self._unproven = deque((since_s, lsn) for (since_s, _), (_, lsn) in pairs)

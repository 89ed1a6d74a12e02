"""The lag: WAL that exists on the disk and is not yet proven to be in the bucket. Pure (S33)."""

from collections import deque
from dataclasses import dataclass

from walsup.postgres.wal import Segment

_MOST_SAMPLES = 4096


@dataclass(frozen=True, slots=True, kw_only=True)
class Lag:
    """`segments` counts finished ones; `bytes` None: the current LSN is not known."""

    known: bool = False
    segments: int = 0
    bytes: int | None = None
    seconds: float = 0.0
    idle: bool = False
    proven_lsn: int = 0


class Meter:
    """Measures the lag from two independent sides: postgres's LSN and the bucket's listing."""

    def __init__(self, origin: Segment, *, waiting_since_s: float | None = None) -> None:
        """`origin`: the last segment that need not be proven (before the claim's own).

        `waiting_since_s`: since when something has been waiting, if that is known.
        """
        self.mark = origin
        self.switched_s: float | None = None
        self._current: Segment | None = None
        self._lsn = 0
        self._xmax = 0
        # Not known at first, so what lies in the current segment counts until a switch is seen.
        self._xmax_at_switch: int | None = None
        self._unproven: deque[tuple[float, int]] = deque()
        self._waiting_since_s = waiting_since_s

    def sample(self, now_s: float, lsn: int, timeline: int, xmax: int) -> None:
        """Take note of postgres's position and of the next xid that it would assign."""
        current = Segment.containing(lsn, timeline, self.mark.size)
        if self._current is not None and current.number > self._current.number:
            # The last xmax seen before the switch: rather count one too much as unarchived.
            self._xmax_at_switch = self._xmax
            self.switched_s = now_s
        if self.switched_s is None:
            self.switched_s = now_s
        if current.timeline != self.mark.timeline:
            self.mark = Segment(
                timeline=current.timeline, number=self.mark.number, size=current.size
            )
        self._current, self._lsn, self._xmax = current, lsn, xmax
        if not self._unproven or lsn > self._unproven[-1][1]:
            since_s = now_s if self._waiting_since_s is None else self._waiting_since_s
            self._waiting_since_s = None
            self._unproven.append((since_s, lsn))
        self._forget()

    def proven(self, mark: Segment) -> None:
        """Take note of the end of the gap-free run in the bucket."""
        self.mark = mark
        self._forget()

    def switched(self, now_s: float, xmax: int) -> None:
        """Take note of a switch of our own: `xmax` was read before it in the same statement."""
        self._xmax_at_switch = xmax
        self.switched_s = now_s

    @property
    def has_finished_segments(self) -> bool:
        """Whether a listing could prove more than is proven."""
        return self._current is not None and self.mark.number < self._current.number - 1

    def needs_switch(self, now_s: float, timeout_s: float) -> bool:
        """Whether something has been in the current segment for too long without a switch."""
        lag = self.read(now_s)
        overdue = self.switched_s is not None and now_s - self.switched_s > timeout_s
        return lag.known and overdue and not lag.idle and not self.has_finished_segments

    def read(self, now_s: float) -> Lag:
        """Give the lag as of now."""
        if self._current is None:
            return Lag(proven_lsn=self.mark.end_lsn)
        segments = max(0, self._current.number - self.mark.number - 1)
        empty = self._lsn <= self._current.start_lsn
        idle = segments == 0 and (
            empty or (self._xmax_at_switch is not None and self._xmax == self._xmax_at_switch)
        )
        if idle:
            return Lag(known=True, bytes=0, idle=True, proven_lsn=self.mark.end_lsn)
        since_s = self._unproven[0][0] if self._unproven else now_s
        return Lag(
            known=True,
            segments=segments,
            bytes=max(0, self._lsn - self.mark.end_lsn),
            seconds=max(0.0, now_s - since_s),
            proven_lsn=self.mark.end_lsn,
        )

    def _forget(self) -> None:
        """Drop samples that are proven; thin them when there are too many, never the oldest."""
        while self._unproven and self._unproven[0][1] <= self.mark.end_lsn:
            self._unproven.popleft()
        if len(self._unproven) > _MOST_SAMPLES:
            self._unproven = deque(list(self._unproven)[::2])

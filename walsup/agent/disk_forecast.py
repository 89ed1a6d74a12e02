"""When pg_wal's file system will be full, while nothing is archived (S7, S25). Pure."""

from collections import deque

_WINDOW_S = 600.0
_SHORTEST_S = 10.0
_LONGEST_S = 30 * 86400.0


class Forecast:
    """Samples of the last ten minutes, and where they lead."""

    def __init__(self) -> None:
        self._samples: deque[tuple[float, int, int]] = deque()

    def sample(self, now_s: float, lsn: int, free_bytes: int) -> None:
        """Take note of postgres's position and of what is free; a position of 0 is not known."""
        self._samples.append((now_s, lsn, free_bytes))
        while now_s - self._samples[0][0] > _WINDOW_S:
            self._samples.popleft()

    def full_in_s(self, *, shut: bool) -> float | None:
        """Give the seconds until it is full; None while nothing leads there within a month.

        With the gate `shut` no segment can be recycled, so all that is written stays: the faster of
        the WAL and of what the disk loses counts. Otherwise only the latter.
        """
        if not self._samples:
            return None
        (first_s, first_lsn, first_free), (last_s, last_lsn, last_free) = (
            self._samples[0],
            self._samples[-1],
        )
        passed_s = last_s - first_s
        if passed_s < _SHORTEST_S:
            return None
        lost = first_free - last_free
        written = last_lsn - first_lsn if shut and first_lsn and last_lsn else 0
        rate = max(lost, written) / passed_s
        if rate <= 0 or last_free / rate > _LONGEST_S:
            return None
        return last_free / rate

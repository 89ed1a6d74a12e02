"""Forecasts when pg_wal's file system will be full while nothing is archived. Pure."""

from collections import deque

_WINDOW_S = 600.0
_SHORTEST_S = 10.0
_LONGEST_S = 30 * 86400.0


class Forecast:
    """The samples of the last ten minutes, and the forecast from them."""

    def __init__(self) -> None:
        self._samples: deque[tuple[float, int, int]] = deque()

    def sample(self, now_s: float, lsn: int, free_bytes: int) -> None:
        """Record postgres's position and the free space; a position of 0 is not known."""
        self._samples.append((now_s, lsn, free_bytes))
        while now_s - self._samples[0][0] > _WINDOW_S:
            self._samples.popleft()

    def full_in_s(self, *, shut: bool) -> float | None:
        """Return the seconds until it is full; None when it does not fill within a month.

        With the gate `shut` no segment is recycled, so all WAL stays: the faster of WAL growth and
        the loss of free space counts. Otherwise only the latter.
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

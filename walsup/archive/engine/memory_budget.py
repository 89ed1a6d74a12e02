"""How much memory the engine may take beside the database, and how that is enforced. Pure.

Rule probes-do-not-kill.

Measured with 40 segments of random hex and SeaweedFS on 2 cores, in MiB of the daemon's own
memory: WAL-RUS 0.4.1 27, 78 and 197 at a concurrency of 1, 4 and 16; WAL-G 3.0.8 138, 316 and 570,
and 30 at 1 with GOMEMLIMIT=40MiB and parts of 5 MiB, in twice the time.

WAL-G's buffers have the size of a part, 20 MiB by default, and a daemon at rest keeps up to
four of them: 84 MiB after twelve segments, 37 with parts of 5 MiB. A base backup of 400 MB took 176
and 98. Neither was slower (3.0.9, concurrency 4: the same drain rate, the same time).
"""

from typing import NamedTuple

from walsup import units

_MIB = 1 << 20
_MOST_AT_ONCE = 4  # more were no faster on 2 cores, and took more
# The agent (45 MiB, 60 at most), PID 1 and, sometimes, its own postgres child.
_WALSUP_BYTES = 72 * _MIB
_POSTGRES_BYTES = 40 * _MIB
_POSTGRES_PART = 8
_SMALLEST_PART_BYTES = 5 * _MIB  # Source: S3, multipart upload limits

DAEMON_OOM_SCORE = 800
ONE_SHOT_OOM_SCORE = 900

# sh is everywhere, prlimit and choom are not. If the kernel rejects either, there is no limit.
_BOUND = 'echo "$1" 2>/dev/null >/proc/self/oom_score_adj; ulimit -d "$2" 2>/dev/null; shift 2; '


class Cost(NamedTuple):
    """What one process of an engine takes, in bytes: idle, for each upload, and at least.

    `spread`: memory that its runtime maps but does not use.
    """

    idle: int
    upload: int
    least: int
    spread: int


COSTS = {
    "wal-g": Cost(idle=40 * _MIB, upload=72 * _MIB, least=40 * _MIB, spread=208 * _MIB),
    "walrus": Cost(idle=12 * _MIB, upload=18 * _MIB, least=30 * _MIB, spread=34 * _MIB),
}


class Room(NamedTuple):
    """The limits of one process of the engine: uploads at a time, and bytes (0: no limit)."""

    uploads: int = _MOST_AT_ONCE
    soft_bytes: int = 0
    hard_bytes: int = 0
    small_parts: bool = False
    warning: str = ""

    def bound(self, argv: list[str], oom_score: int) -> list[str]:
        """Return a command that limits itself and becomes `argv`.

        Out of memory, the engine fails or is killed first, not postgres.
        """
        if not self.hard_bytes:
            return argv
        go = f"export GOMEMLIMIT={self.soft_bytes}; " if self.soft_bytes else ""
        script = f'{_BOUND}{go}exec "$@"'
        return ["/bin/sh", "-c", script, "sh", str(oom_score), str(self.hard_bytes >> 10), *argv]

    def knobs(self) -> dict[str, str]:
        """Return the engine's settings that follow from it."""
        parts = {"S3_MAX_PART_SIZE": str(_SMALLEST_PART_BYTES)} if self.small_parts else {}
        return {"WALG_UPLOAD_CONCURRENCY": str(self.uploads), **parts}


def share(engine: str, limit_bytes: int, shared_buffers_bytes: int, wanted: str = "") -> Room:
    """Return the engine's room below a memory limit.

    A daemon and a base backup may run at once, so each gets half of the rest. `wanted`: the
    operator's WALG_UPLOAD_CONCURRENCY, which takes precedence, with a warning when it does not fit.
    """
    cost = COSTS[engine]
    rest = limit_bytes - shared_buffers_bytes - _WALSUP_BYTES
    rest -= max(_POSTGRES_BYTES, limit_bytes // _POSTGRES_PART)
    half = rest // 2
    fitting = max(1, min(_MOST_AT_ONCE, (half - cost.idle) // cost.upload))
    uploads = int(wanted) if wanted.isdecimal() and int(wanted) else fitting
    room_bytes = max(half, cost.least)
    needed = cost.least if uploads == 1 else cost.idle + uploads * cost.upload
    warning = ""
    if needed > half:
        warning = (
            f"{engine} takes up to {units.show_bytes(2 * needed)} for {uploads} uploads at a time;"
            f" {units.show_bytes(max(0, rest))} are left of {units.show_bytes(limit_bytes)} beside"
            f" shared_buffers ({units.show_bytes(shared_buffers_bytes)}), postgres and walsup"
        )
    return Room(
        uploads=uploads,
        soft_bytes=room_bytes if engine == "wal-g" else 0,
        hard_bytes=max(room_bytes, needed) + cost.spread,
        small_parts=engine == "wal-g",
        warning=warning,
    )

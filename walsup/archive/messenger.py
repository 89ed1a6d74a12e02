"""Asks the judge what a miss of restore_command means; a program of the standard library alone.

Started by postgres's shell: `messenger.py SOCKET NAME PATH [PATIENCE] [fetched]`. Ends with what
the judge says: 0 the file is there now, 1 it is absent, 255 recovery must not go on. Without a
judge it waits: the agent is started again when it dies, and nothing may be guessed meanwhile.
A standby gives it a patience, in seconds: it asks again anyhow, and 1 harms nothing there (S15).

What was fetched is looked into before postgres has it: a tablespace that a segment creates lies
where its first server had it, which may be another's files. The judge says whether it may.
"""

import os
import sys
import time

_AGAIN_S = 0.5
_LONGEST_ANSWER_BYTES = 64
_SEGMENT_DIGITS = 24
_DIGITS = frozenset("0123456789ABCDEF")
_LOG_DIGITS = 16  # of a segment's name, behind the timeline
_LOG_BYTES = 1 << 32
_TAIL_BYTES = 1 << 16  # the largest page
_ROOT = os.path.abspath(__file__).rpartition("/walsup/archive/")[0]  # noqa: PTH100


def main(judge: str, name: str, path: str, patience: str = "inf", fetched: str = "") -> int:
    """Ask until there is an answer; what is there is looked into."""
    path = os.path.abspath(path)  # noqa: PTH100 (pathlib: 5 ms)
    question: dict[str, object] = {"name": name, "path": path}
    code = 0 if fetched else ask(judge, question, float(patience))
    if code or len(name) != _SEGMENT_DIGITS or not _DIGITS.issuperset(name):
        return code
    if created := _created(name, path):
        return ask(judge, question | {"created": created}, float("inf"))
    return 0


def ask(judge: str, question: dict[str, object], patience_s: float) -> int:
    """Return the judge's answer, 1 when there is none in time."""
    import json  # noqa: PLC0415 (most segments ask nothing)

    asked = json.dumps(question).encode() + b"\n"
    ends_s = time.monotonic() + patience_s
    while (left_s := ends_s - time.monotonic()) > 0:
        answer = _ask(judge, asked, left_s)
        if answer.isdigit():
            return int(answer)
        time.sleep(min(_AGAIN_S, left_s))
    return 1


def _ask(judge: str, question: bytes, left_s: float) -> bytes:
    import socket  # noqa: PLC0415 (as above)

    with socket.socket(socket.AF_UNIX, socket.SOCK_STREAM) as line:
        line.settimeout(None if left_s == float("inf") else left_s)
        try:
            line.connect(judge)
            line.sendall(question)
            return line.recv(_LONGEST_ANSWER_BYTES).strip()
        except OSError:
            return b""


def _created(name: str, path: str) -> list[tuple[int, str, int]]:
    """Return the tablespaces that a segment creates: number, location, LSN."""
    sys.path.insert(0, _ROOT)
    from walsup.postgres import spacerecords  # noqa: PLC0415 (not on the path before)

    with open(path, "rb") as segment:  # noqa: PTH123 (pathlib: 5 ms)
        size = os.fstat(segment.fileno()).st_size or _LOG_BYTES
        number = int(name[8:16], 16) * (_LOG_BYTES // size) + int(name[16:], 16)
        before = _tail(os.path.dirname(path), name, number, size)  # noqa: PTH120
        found = spacerecords.in_segment(segment, number * size, before)
    return [(one.number, one.location, one.lsn) for one in found]


def _tail(pg_wal: str, name: str, number: int, size: int) -> bytes:
    """Return the last pages of the segment before, b"" when it is not there any more.

    Postgres keeps what it has read until the next restartpoint. Of what was recycled the pages say
    another position.
    """
    log, low = divmod(max(0, number - 1), _LOG_BYTES // size)
    ending = f"{log:08X}{low:08X}"
    names = [n for n in os.listdir(pg_wal) if n.endswith(ending) and n[:8] <= name[:8]]  # noqa: PTH208
    if not names:
        return b""
    with open(os.path.join(pg_wal, max(names)), "rb") as before:  # noqa: PTH118, PTH123
        before.seek(-min(_TAIL_BYTES, size), os.SEEK_END)
        return before.read()


if __name__ == "__main__":
    sys.exit(main(*sys.argv[1:]))

"""Asks the agent what a miss of restore_command means. Standard library only.

Started by postgres's shell: `restore_client.py SOCKET NAME PATH [PATIENCE] [fetched]`. Exits with
the agent's answer: 0 the file is there now, 1 it is absent, 255 recovery must stop. Without the
agent it waits: PID 1 starts the agent again when it dies, and nothing may be guessed meanwhile. A
standby passes a patience, in seconds: it asks again anyhow, and 1 does no harm there (rule
standby-survives).

A fetched file is examined before postgres gets it: a tablespace that a segment creates has the path
of its first server, where another server's files may be. The agent says whether it may be created.
"""

import os
import sys
import time

_AGAIN_S = 0.5
_REFUSED = 255
_LONGEST_ANSWER_BYTES = 64
_ROOT = os.path.abspath(__file__).rpartition("/walsup/archive/engine/")[0]  # noqa: PTH100


def main(socket_path: str, name: str, path: str, patience: str = "inf", fetched: str = "") -> int:
    """Ask until there is an answer; examine a file that exists."""
    try:
        return _answer(socket_path, name, os.path.abspath(path), patience, fetched)  # noqa: PTH100 (5 ms)
    except Exception as bug:  # noqa: BLE001 (Python's own code would be 1: the archive has ended)
        sys.path.insert(0, _ROOT)
        from walsup import log  # noqa: PLC0415 (only for a bug)

        log.configure(os.environ.get("WALSUP_LOG_FORMAT", "auto"), "restore_command")
        log.unexpected("restore_command.failed", bug, name=name)
        return _REFUSED if patience == "inf" else 1


def _answer(socket_path: str, name: str, path: str, patience: str, fetched: str) -> int:
    question: dict[str, object] = {"name": name, "path": path}
    code = 0 if fetched else ask(socket_path, question, float(patience))
    if code:
        return code
    if created := _created(name, path):
        return ask(socket_path, question | {"created": created}, float("inf"))
    return 0


def ask(socket_path: str, question: dict[str, object], patience_s: float) -> int:
    """Return the agent's answer, 1 when there is none in time."""
    import json  # noqa: PLC0415 (most segments ask nothing)

    asked = json.dumps(question).encode() + b"\n"
    ends_s = time.monotonic() + patience_s
    while (left_s := ends_s - time.monotonic()) > 0:
        answer = _ask(socket_path, asked, left_s)
        if answer.isdigit():
            return int(answer)
        time.sleep(min(_AGAIN_S, left_s))
    return 1


def _ask(socket_path: str, question: bytes, left_s: float) -> bytes:
    import socket  # noqa: PLC0415 (as above)

    with socket.socket(socket.AF_UNIX, socket.SOCK_STREAM) as line:
        line.settimeout(None if left_s == float("inf") else left_s)
        try:
            line.connect(socket_path)
            line.sendall(question)
            return line.recv(_LONGEST_ANSWER_BYTES).strip()
        except OSError:
            return b""


def _created(name: str, path: str) -> "list[tuple[int, str, int]]":
    """Return the tablespaces that a segment creates: number, location, LSN."""
    sys.path.insert(0, _ROOT)
    from walsup.postgres.tablespaces import in_segment  # noqa: PLC0415 (not on the path before)

    return [(one.number, one.location, one.lsn) for one in in_segment.created(name, path)]


if __name__ == "__main__":
    sys.exit(main(*sys.argv[1:]))

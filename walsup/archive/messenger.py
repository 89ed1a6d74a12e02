"""Asks the judge what a miss of restore_command means; a program of the standard library alone.

Started by postgres's shell for each miss: `messenger.py SOCKET NAME PATH [PATIENCE]`. Ends with
what the judge says: 0 the file is there now, 1 it is absent, 255 recovery must not go on. Without
a judge it waits: the agent is started again when it dies, and nothing may be guessed meanwhile.
A standby gives it a patience, in seconds: it asks again anyhow, and 1 harms nothing there (S15).
"""

import json
import os
import socket
import sys
import time

_AGAIN_S = 0.5
_LONGEST_ANSWER_BYTES = 64


def main(judge: str, name: str, path: str, patience: str = "inf") -> int:
    """Ask until there is an answer."""
    question = json.dumps({"name": name, "path": os.path.abspath(path)}).encode() + b"\n"  # noqa: PTH100 (pathlib: 5 ms)
    ends_s = time.monotonic() + float(patience)
    while (left_s := ends_s - time.monotonic()) > 0:
        answer = _ask(judge, question, left_s)
        if answer.isdigit():
            return int(answer)
        time.sleep(min(_AGAIN_S, left_s))
    return 1


def _ask(judge: str, question: bytes, left_s: float) -> bytes:
    with socket.socket(socket.AF_UNIX, socket.SOCK_STREAM) as line:
        line.settimeout(None if left_s == float("inf") else left_s)
        try:
            line.connect(judge)
            line.sendall(question)
            return line.recv(_LONGEST_ANSWER_BYTES).strip()
        except OSError:
            return b""


if __name__ == "__main__":
    sys.exit(main(*sys.argv[1:]))

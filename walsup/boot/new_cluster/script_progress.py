"""Reports which script of initdb.d runs, and for how long: to the probes, and to the log."""

import os
import subprocess
import time
from pathlib import Path
from typing import BinaryIO

from walsup import log, units
from walsup.pid1_messages import Progress, Send

_SAYS = (b"walsup: running ", b"walsup: sourcing ")
_LOOK_EVERY_S = 0.2
_FIRST_LOGGED_AFTER_S = 10.0
_LONGEST_PAUSE_S = 300.0


def scripts_of(output: Path) -> list[str]:
    """Return the scripts that have begun, in their order, from the shell's output."""
    with output.open("rb") as file:
        return _begun(file)


def wait(process: subprocess.Popen[bytes], output: Path, send: Send) -> int:
    """Wait for the shell's end; return its exit code, -n for signal n.

    A script has no time limit, so a start that waits for one reports it: at once in PID 1's state,
    in the log after 10 s and then each time after twice as long, at most every five minutes.
    """
    script, since_s = "bash", time.monotonic()
    pause_s = _FIRST_LOGGED_AFTER_S
    due_s = since_s + pause_s
    with output.open("rb") as file:
        while True:
            try:
                return process.wait(_LOOK_EVERY_S)
            except subprocess.TimeoutExpired:
                now_s = time.monotonic()
            if begun := _begun(file):
                script, since_s, pause_s = begun[-1], now_s, _FIRST_LOGGED_AFTER_S
                due_s = now_s + pause_s
                send(Progress(f"initdb.d: running {script}"))
            if now_s >= due_s:
                pause_s = min(2 * pause_s, _LONGEST_PAUSE_S)
                due_s = now_s + pause_s
                _say(script, round(now_s - since_s), output, send)


def _say(script: str, running_s: int, output: Path, send: Send) -> None:
    log.info(
        "initdb.script_runs",
        script=script,
        for_s=running_s,
        output=str(output),
        message="the database starts after this script has ended",
    )
    send(Progress(f"initdb.d: running {script} for {units.show_duration(running_s)}"))


def _begun(file: BinaryIO) -> list[str]:
    """Return the scripts of the lines that were written since the last call."""
    begun = []
    while line := file.readline():
        if not line.endswith(b"\n"):
            file.seek(-len(line), os.SEEK_CUR)  # the rest of the line comes later
            break
        if line.startswith(_SAYS):
            words = line.decode(errors="replace").rstrip("\n")
            begun.append(words.partition(": ")[2].partition(" ")[2])
    return begun

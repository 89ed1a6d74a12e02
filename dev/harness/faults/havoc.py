"""Processes of a container hit at random."""

import os
import random
import time
from collections.abc import Sequence
from signal import SIGCONT, SIGKILL, SIGSTOP

from dev.harness.processes.walsup import Walsup


def victims(one: Walsup) -> list[int]:
    """Everything but PID 1 and postgres's own; what its archiver runs is not its own."""
    members = one.members()
    spared = {one.init_pid} | {m.outer_pid for m in members if m.state == "Z"}
    spared |= {m.outer_pid for m in members if _is_postgres(m.argv)}
    return [m.outer_pid for m in members if m.outer_pid not in spared]


def _is_postgres(argv: Sequence[str]) -> bool:
    return bool(argv) and (argv[0].startswith("postgres: ") or argv[0].endswith("/bin/postgres"))


def hit(chance: random.Random, pid: int) -> bool:
    """Kill it, or stop it for up to 6 s; False when it had ended."""
    try:
        if chance.choice((True, False)):
            os.kill(pid, SIGKILL)
        else:
            os.kill(pid, SIGSTOP)
            time.sleep(chance.uniform(0.2, 6.0))
            os.kill(pid, SIGCONT)
    except ProcessLookupError:
        return False
    return True

"""Programs to put in postgres's place, and PID 1 with another prepare."""

import json
import os
import shutil
import signal
import subprocess
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any

from dev.harness import Member, Walsup, wait_until
from dev.harness.processes.machine import PYTHON
from dev.harness.processes.namespace import Container, find_init

BARE = Path(__file__).with_name("bare.py")
PATIENCE_S = 30.0

# Ends as postgres does when it is asked to.
OBEDIENT = """#!/bin/sh
trap 'exit 0' INT
while :; do sleep 0.05; done
"""

# Notes every signal in the file `signals` in the data directory, first a 0, and obeys none.
RECORDER = f"""#!{PYTHON} -IS
import os, signal
path = os.path.join(os.environ["PGDATA"], "signals")
def note(number, frame):
    file = os.open(path, os.O_WRONLY | os.O_APPEND | os.O_CREAT, 0o600)
    os.write(file, b"%d\\n" % number)
    os.close(file)
for number in signal.valid_signals() - {{signal.SIGKILL, signal.SIGSTOP}}:
    signal.signal(number, note)
note(0, None)
while True:
    signal.pause()
"""


def put(walsup: Walsup, script: str, *, mode: int = 0o755) -> None:
    """Make `script` the program `postgres` of this walsup."""
    bindir = walsup.layout.base / "bin"
    bindir.mkdir(exist_ok=True)
    program = bindir / "postgres"
    program.write_text(script)
    program.chmod(mode)
    walsup.environment["PG_BINDIR"] = str(bindir)


def settled(look: Callable[[], list[Member]]) -> list[Member]:
    """The processes, when the short-lived ones (a query's backend) have gone: twice the same."""
    known: list[Member] = []

    def same() -> bool:
        nonlocal known
        before, known = known, look()
        pids = [member.outer_pid for member in known]
        return bool(pids) and pids == [member.outer_pid for member in before]

    wait_until(same, "the same processes twice", timeout_s=PATIENCE_S)
    return known


def noted(walsup: Walsup) -> list[int]:
    """What RECORDER has noted."""
    try:
        return [int(line) for line in (walsup.pgdata / "signals").read_text().split()]
    except FileNotFoundError:
        return []


def status(pid: int) -> dict[str, str]:
    """/proc/PID/status."""
    lines = Path(f"/proc/{pid}/status").read_text().splitlines()
    return {key: value.strip() for key, _, value in (line.partition(":") for line in lines)}


def descriptors(pid: int) -> dict[int, str]:
    """The open descriptors of a process and what they are."""
    folder = Path(f"/proc/{pid}/fd")
    return {int(link.name): str(link.readlink()) for link in folder.iterdir()}


def wait_phase(walsup: Walsup, phase: str) -> None:
    """Return when PID 1 has written that it is in `phase`."""
    walsup.wait_for(lambda: walsup.state().get("phase") == phase, f"phase {phase}")


def wait_heeded(walsup: Walsup) -> None:
    """Return when PID 1 has taken every signal that was sent to it."""
    pid = walsup.init_pid
    walsup.wait_for(lambda: int(status(pid)["ShdPnd"], 16) == 0, "no signal is pending for PID 1")


class Pid1:
    """PID 1 started with an argv of the test's own, in the directories of a Walsup.

    `launcher` are the words that make it PID 1 of a namespace; none makes it a subreaper in ours.
    """

    def __init__(self, walsup: Walsup, argv: Sequence[str], launcher: Sequence[str]) -> None:
        self.walsup = walsup
        self.argv = [*launcher, *argv]
        self._in_namespace = bool(launcher)
        self._process: subprocess.Popen[bytes] | None = None
        self._container: Container | None = None
        self.init_pid = 0

    def start(self, **options: Any) -> "Pid1":  # noqa: ANN401 - Popen's
        """Start it; `options` are Popen's."""
        with self.walsup.layout.log_file.open("ab") as log:
            chosen = {"stdout": log, "stderr": log, "env": self.walsup.environment, **options}
            self._process = subprocess.Popen(
                self.argv, stdin=subprocess.DEVNULL, cwd="/", start_new_session=True, **chosen
            )
        if self._in_namespace:
            self.init_pid = find_init(self._process)
            self._container = Container(self.init_pid)
        else:
            self.init_pid = self._process.pid
        return self

    @property
    def process(self) -> "subprocess.Popen[bytes]":
        """What was started: unshare, or PID 1 itself."""
        assert self._process is not None
        return self._process

    def state(self) -> dict[str, str]:
        """The state file."""
        return self.walsup.state()

    def see(self, look: Callable[[], Any], what: str) -> Any:  # noqa: ANN401 - as wait_until
        """The first truthy answer of `look`."""
        return wait_until(look, what, timeout_s=PATIENCE_S, evidence=self.walsup.tail)

    def see_phase(self, phase: str) -> None:
        """Return when PID 1 has written that it is in `phase`."""
        self.see(lambda: self.state().get("phase") == phase, f"phase {phase}")

    def pid_of(self, child: str) -> int:
        """The pid, as it is here, of what the state file calls `child`."""
        inner = int(self.see(lambda: self.state().get(f"{child}_pid"), f"a pid of {child}"))
        if self._container is None:
            return inner
        found = [m.outer_pid for m in self.members() if m.inner_pid == inner]
        return found[0] if found else 0

    def members(self) -> list[Member]:
        """Every process of its namespace."""
        return [] if self._container is None else self._container.members()

    def signal(self, number: int) -> None:
        """Send a signal to PID 1."""
        os.kill(self.init_pid, number)

    def wait(self) -> int:
        """The exit code."""
        return self.process.wait(40)

    def kill(self) -> None:
        """Kill it and what is below it."""
        if self._process is None:
            return
        if self._container is not None:
            self._container.kill()
            self._container.close()
        elif self._process.poll() is None:
            for pid in _below(self.init_pid):
                os.kill(pid, signal.SIGKILL)
            self._process.kill()
        self._process.wait(10)
        for pipe in (self._process.stderr, self._process.stdout):
            if pipe is not None:
                pipe.close()


def run_words() -> list[str]:
    """`walsup run` as entrypoint.sh starts it."""
    return ["env", "--block-signal", str(PYTHON), "-I", "-m", "walsup", "run"]


def bare_words(
    walsup: Walsup, messages: Sequence[Mapping[str, object]], silence_s: float
) -> list[str]:
    """PID 1 with a prepare that says `messages`."""
    orders = walsup.layout.base / "orders.json"
    orders.write_text(json.dumps(messages))
    orders.chmod(0o644)
    program = walsup.layout.base / "bare.py"
    shutil.copyfile(BARE, program)
    return ["env", "--block-signal", str(PYTHON), "-I", str(program), str(orders), str(silence_s)]


def launch(name: str, script: str) -> dict[str, object]:
    """A launch of a shell script as `agent` or `postgres`, as prepare sends it."""
    environment = {"PATH": os.environ["PATH"]}
    return {"launch": name, "argv": ["/bin/sh", "-c", script], "environment": environment}


def _below(pid: int) -> list[int]:
    children = Path(f"/proc/{pid}/task/{pid}/children")
    try:
        direct = [int(word) for word in children.read_text().split()]
    except OSError:
        return []
    return [*direct, *(deeper for child in direct for deeper in _below(child))]

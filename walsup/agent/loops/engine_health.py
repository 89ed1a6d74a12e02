"""Checks that the engine can be started, before a segment needs it."""

import asyncio
import errno
import os
import time
from pathlib import Path
from typing import NamedTuple

from walsup.agent.context import AgentContext
from walsup.agent.snapshot import Snapshot
from walsup.agent.states import GateState
from walsup.agent.subject import Subject
from walsup.archive.engine import run_once
from walsup.archive.engine.adapter import Engine
from walsup.archive.faults import Fault, FaultKind
from walsup.system.output_tail import last_lines

_EVERY_S = 1.0
_TRY_EVERY_S = 300.0
_TRY_AGAIN_S = 5.0
# One failure alone may be a moment without memory or a processor.
_FAILURES_SHOWN = 2
_TRY_TIMEOUT_S = 20.0
# A killed daemon is started again at once.
_ABSENT_S = 3.0
_RESTARTS_WITHIN_S = 20.0
_MANY_RESTARTS = 3
# The exit codes for a program that cannot be executed, or whose libraries are missing.
_NOT_EXECUTED = (126, 127)
# The kernel rejects the file itself: the next try ends the same way.
_NO_PROGRAM = (errno.ENOENT, errno.EACCES, errno.EPERM, errno.ENOEXEC)


class File(NamedTuple):
    """A program as it is on the disk; a changed one has to be tried again."""

    inode: int
    size: int
    mode: int
    changed_ns: int


class Tried(NamedTuple):
    """The last try of a program: when, what failed, and how often in a row."""

    file: File
    at_s: float
    fault: Fault | None
    failures: int

    def is_due(self, file: File, now_s: float) -> bool:
        """Return whether the program has to be tried again."""
        every_s = _TRY_EVERY_S if self.fault is None else _TRY_AGAIN_S
        return self.file != file or now_s - self.at_s > every_s


async def engine(context: AgentContext) -> None:
    """Look at the programs and the daemon every second."""
    if not isinstance(context.session.engine, Engine):
        await context.signals.stopping.wait()
        return
    programs, daemon = Programs(context, context.session.engine), _Daemon()
    while not context.signals.stopping.is_set():
        fault = await programs.look(time.monotonic()) or daemon.look(
            context.board.snapshot, time.monotonic()
        )
        if context.signals.stopping.is_set():
            return
        if fault is not None:
            context.board.fault(Subject.ENGINE, fault)
        else:
            context.board.clear(Subject.ENGINE)
        await asyncio.sleep(_EVERY_S)


class Programs:
    """Checks that the engine's programs exist, are executable, and run on this machine."""

    def __init__(self, context: AgentContext, chosen: Engine) -> None:
        self._context = context
        self._paths = [path for path in (chosen.program, chosen.client) if path is not None]
        self._tried: dict[Path, Tried] = {}

    async def look(self, now_s: float) -> Fault | None:
        """Return why a program cannot be started, None when no failure is known."""
        for path in self._paths:
            try:
                file = await asyncio.to_thread(_file, path)
            except OSError as raised:
                return Fault(
                    FaultKind.ENGINE_MISSING, f"{path}: {raised.strerror}; nothing can be pushed"
                )
            tried = self._tried.get(path)
            if tried is None or tried.is_due(file, now_s):
                before = tried.failures if tried is not None and tried.file == file else 0
                tried = self._tried[path] = await self._try(path, file, now_s, before)
            if tried.failures >= _FAILURES_SHOWN:
                return tried.fault
        return None

    async def _try(self, path: Path, file: File, now_s: float, before: int) -> Tried:
        """Start it; `before`: how many tries in a row have failed."""
        output = self._context.run_dir / "engine-version.log"
        try:
            code = await run_once.run([str(path), "--version"], output, timeout_s=_TRY_TIMEOUT_S)
        except OSError as raised:
            certain = raised.errno in _NO_PROGRAM
            fault = _broken(path, raised.strerror or str(raised))
            return Tried(file, now_s, fault, _FAILURES_SHOWN if certain else before + 1)
        # The daemon's client may not know the option; it was started nevertheless.
        if code < 0 or code in _NOT_EXECUTED:
            how = f"killed by signal {-code}" if code < 0 else f"exit code {code}"
            said = f"{how}\n{last_lines(output, self._context.secrets())}".strip()
            return Tried(file, now_s, _broken(path, said), before + 1)
        return Tried(file, now_s, None, 0)


def _file(path: Path) -> File:
    status = path.stat()
    if not os.access(path, os.X_OK):
        raise PermissionError(13, "it is not executable for this user")
    return File(status.st_ino, status.st_size, status.st_mode, status.st_ctime_ns)


def _broken(path: Path, why: str) -> Fault:
    return Fault(
        kind=FaultKind.ENGINE_BROKEN,
        problem=f"{path} cannot be started: {why}",
        remedy="install the engine for this machine's architecture, with the libraries it needs",
    )


class _Daemon:
    """Checks that the engine's daemon keeps running."""

    def __init__(self) -> None:
        self._present_s = 0.0
        self._restarts: list[tuple[float, int]] = []

    def look(self, snapshot: Snapshot, now_s: float) -> Fault | None:
        """Record what PID 1 reports about it; return a fault when it does not keep running."""
        is_wanted = (
            snapshot.gate.state == GateState.OPEN
            and snapshot.gate.daemon
            and not snapshot.init.stopping
        )
        if not is_wanted or snapshot.init.engine_pid:
            self._present_s = now_s
        self._restarts = [
            (at_s, count) for at_s, count in self._restarts if now_s - at_s < _RESTARTS_WITHIN_S
        ]
        self._restarts.append((now_s, snapshot.init.engine_restarts))
        restarts = snapshot.init.engine_restarts - self._restarts[0][1]
        absent_s = now_s - self._present_s
        if not is_wanted or (absent_s < _ABSENT_S and restarts < _MANY_RESTARTS):
            return None
        behaviour = f"has not run for {absent_s:.0f} s" if absent_s >= _ABSENT_S else "keeps ending"
        return Fault(
            kind=FaultKind.ENGINE_BROKEN,
            problem=f"the engine's daemon {behaviour}; it was restarted"
            f" {snapshot.init.engine_restarts} times in this run",
            remedy="read the engine's own lines in this log: it rejects its configuration, or"
            " cannot run here",
        )

"""The engine's commands, each run once to its end, and the meaning of the output on failure."""

import asyncio
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from types import MappingProxyType

from walsup.archive.engine import run_once
from walsup.archive.engine.adapter import Engine
from walsup.archive.engine.output import classify_output
from walsup.archive.faults import Fault, FaultKind
from walsup.system.output_tail import last_lines, raw_lines

_DAMAGED = "restore the object as it was written (for example from an older version of it)"


@dataclass(frozen=True, slots=True)
class Failure:
    """A command that failed. `lines`: its last lines, without secrets."""

    code: int
    told: Fault
    lines: str

    @classmethod
    def read(cls, code: int, output: Path, secrets: Iterable[str]) -> "Failure":
        """Return the meaning of the output of a command that ended with this code."""
        secrets = tuple(secrets)
        return cls(code, classify_output(raw_lines(output), secrets), last_lines(output, secrets))

    def fault(self, what: str) -> Fault:
        """Return the fault with what failed, the exit code and the engine's message."""
        return self.told._replace(problem=f"{what} ({self.code}): {self.told.problem}")

    def ended(self, what: str, *, shows_lines: bool = False) -> Fault:
        """Return the fault of the named command; `shows_lines`: with the last lines, too."""
        lines = f"\n{self.lines}" if shows_lines else ""
        problem = f"{what} ended with {self.code}: {self.told.problem}{lines}"
        return self.told._replace(problem=problem)


@dataclass(frozen=True, slots=True, kw_only=True)
class Commands:
    """An engine with its configuration.

    `inherit`: descriptors that stay open in it. `more`: variables besides those of every engine.
    """

    engine: Engine
    config: Path
    secrets: Sequence[str] = field(repr=False)
    inherit: tuple[int, ...] = ()
    more: Mapping[str, str] = field(default_factory=lambda: MappingProxyType({}))

    async def push(
        self, path: Path, output: Path, *, timeout_s: float, cancelled: asyncio.Event | None = None
    ) -> Failure | None:
        """Archive a file of pg_wal without the daemon; None: the engine reports success."""
        argv = self.engine.push_argv(self.config, path)
        return await self.run(argv, output, timeout_s=timeout_s, cancelled=cancelled)

    async def fetch(
        self, name: str, target: Path, output: Path, *, timeout_s: float
    ) -> Failure | None:
        """Fetch a WAL file, decompressed and decrypted; None: the engine reports success."""
        argv = self.engine.fetch_argv(self.config, name, target)
        return await self.run(argv, output, timeout_s=timeout_s)

    async def run(
        self,
        argv: Sequence[str],
        output: Path,
        *,
        timeout_s: float | None = None,
        cancelled: asyncio.Event | None = None,
    ) -> Failure | None:
        """Run one of the engine's commands; None: it ended with 0."""
        code = await run_once.run(
            argv,
            output,
            timeout_s=timeout_s,
            cancelled=cancelled,
            inherit=self.inherit,
            more=self.more,
        )
        return Failure.read(code, output, self.secrets) if code else None


def at_fault_itself(fault: Fault) -> Fault:
    """Return the fault of an object that can be read whole, and that the engine cannot decode."""
    return fault._replace(kind=FaultKind.ENGINE_BROKEN, remedy=_DAMAGED)

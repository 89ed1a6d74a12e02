"""Children of prepare that run and end: their output goes to a file, its end into the error."""

import os
import subprocess
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from walsup.boot import inspect
from walsup.errors import BootstrapError, ProgramMissingError
from walsup.kernel import die_with_parent
from walsup.tail import last_lines


@dataclass(frozen=True, slots=True, kw_only=True)
class OneShot:
    """How PostgreSQL's one-shot programs are run: where they are, what they inherit."""

    bindir: Path | None
    run_dir: Path
    lock: int
    environment: Mapping[str, str]

    def run(self, name: str, arguments: Sequence[str], script: str = "") -> None:
        """Run a program of PostgreSQL to its end. It dies with prepare and holds the lock (S1).

        Raises:
            BootstrapError: it failed; with argv, its exit and its last lines.
            ProgramMissingError: there is no such program.
        """
        program = inspect.program(name, self.bindir, self.environment.get("PATH", ""))
        argv = [program, *arguments]
        output = self.run_dir / f"{name}.log"
        parent = os.getpid()
        try:
            with output.open("wb") as file:
                done = subprocess.run(
                    argv,
                    input=script.encode(),
                    stdout=file,
                    stderr=subprocess.STDOUT,
                    env=dict(self.environment),
                    pass_fds=(self.lock,) if self.lock >= 0 else (),
                    preexec_fn=lambda: die_with_parent(parent),
                    check=False,
                )
        except OSError as fault:
            raise ProgramMissingError(
                f"cannot run {program}: {fault.strerror}",
                hint="set PG_BINDIR to the directory of PostgreSQL's programs",
            ) from fault
        if done.returncode:
            raise BootstrapError(
                f"{' '.join(argv)} {_end(done.returncode)}:\n{last_lines(output)}",
                hint="correct what its last lines name; the next start begins anew",
            )


def _end(returncode: int) -> str:
    if returncode < 0:
        return f"was ended by signal {-returncode}"
    return f"ended with exit code {returncode}"

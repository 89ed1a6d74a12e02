"""One-shot children of prepare: their output goes to a file, its last lines into the error."""

import os
import subprocess
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path

from walsup.boot import disk_space, inspect
from walsup.errors import BootstrapError, DiskFullError, ProgramMissingError
from walsup.system.output_tail import last_lines
from walsup.system.prctl import die_with_parent
from walsup.system.private_files import open_private


@dataclass(frozen=True, slots=True, kw_only=True)
class OneShot:
    """How PostgreSQL's one-shot programs are run: where they are, what they inherit.

    `secrets` are removed from their output.
    """

    bindir: Path | None
    run_dir: Path
    lock: int
    environment: Mapping[str, str]
    secrets: Sequence[str] = field(repr=False)

    def run(self, name: str, arguments: Sequence[str], script: str = "") -> None:
        """Run a program of PostgreSQL to its end. It dies with prepare and holds the lock.

        Rule directory-lock.

        Raises:
            BootstrapError: it failed; with argv, its exit and its last lines.
            DiskFullError: it failed because the disk is full.
            ProgramMissingError: there is no such program.
        """
        program = inspect.program(name, self.bindir, self.environment.get("PATH", ""))
        argv = [program, *arguments]
        output = self.run_dir / f"{name}.log"
        if code := self.end_of(argv, output, self.environment, script):
            said = last_lines(output, self.secrets)
            if disk_space.says_full(said):
                raise DiskFullError(
                    f"{' '.join(argv)} {end(code)}:\n{said}",
                    hint="make the volume larger, then start again",
                )
            raise BootstrapError(
                f"{' '.join(argv)} {end(code)}:\n{said}",
                hint="correct what its last lines name, then start again",
            )

    def end_of(
        self, argv: Sequence[str], output: Path, environment: Mapping[str, str], script: str = ""
    ) -> int:
        """Run any program to its end, as `run` does; return its exit code, -n for signal n.

        Raises:
            ProgramMissingError: there is no such program.
        """
        child = self.begin(argv, output, environment, stdin=subprocess.PIPE)
        child.communicate(script.encode())
        return child.returncode

    def begin(
        self,
        argv: Sequence[str],
        output: Path,
        environment: Mapping[str, str],
        stdin: int = subprocess.DEVNULL,
    ) -> subprocess.Popen[bytes]:
        """Start any program; it dies with prepare and holds the lock.

        Raises:
            ProgramMissingError: there is no such program.
        """
        try:
            return start(argv, output, environment, self.lock, stdin)
        except OSError as fault:
            raise ProgramMissingError(
                f"cannot run {argv[0]}: {fault.strerror}",
                hint="set PG_BINDIR to the directory of PostgreSQL's programs",
            ) from fault


def start(
    argv: Sequence[str],
    output: Path,
    environment: Mapping[str, str],
    lock: int,
    stdin: int = subprocess.DEVNULL,
) -> subprocess.Popen[bytes]:
    """Start a program whose output goes to a file; it dies with prepare and holds the lock.

    `lock`: the descriptor of the data directory's lock, -1 for none (rule directory-lock).

    Raises:
        OSError: it cannot be run.
    """
    parent = os.getpid()
    with open_private(output) as file:
        return subprocess.Popen(
            argv,
            stdin=stdin,
            stdout=file,
            stderr=subprocess.STDOUT,
            env=dict(environment),
            pass_fds=(lock,) if lock >= 0 else (),
            preexec_fn=lambda: die_with_parent(parent),  # noqa: PLW1509 (prepare has one thread)
        )


def end(returncode: int) -> str:
    """Return how a child ended."""
    if returncode < 0:
        return f"was ended by signal {-returncode}"
    return f"ended with exit code {returncode}"

"""Green needs progress: an engine that cannot be started is a fault on an idle database too.

All tests share a database, which has its engine's programs in a directory of its own.
"""

import shutil
import tempfile
from collections.abc import Iterator
from pathlib import Path
from typing import NamedTuple

import pytest

from dev.harness import Machine, S3Server, Walsup
from dev.harness.checks.progress import wait_well
from dev.harness.checks.witness import status, wait_fault, wait_protected


class _Idle(NamedTuple):
    """A database that archives nothing by itself; `program`: its engine, a copy of `original`."""

    one: Walsup
    program: Path
    original: Path

    def restore(self) -> None:
        """Put the engine back."""
        self.program.unlink(missing_ok=True)
        shutil.copy(self.original, self.program)


@pytest.fixture(scope="module")
def running(machine: Machine, engine: str, s3: S3Server) -> Iterator[_Idle]:
    """The database."""
    programs = Path(tempfile.mkdtemp(prefix="walsup-", dir="/tmp"))
    programs.chmod(0o755)
    try:
        with Walsup(machine, engine=engine, s3=s3, env={"WALSUP_ARCHIVE_TIMEOUT": "1h"}) as one:
            theirs, _, rest = one.environment["PATH"].partition(":")
            for path in Path(theirs).iterdir():
                shutil.copy(path, programs / path.name)
            one.environment["PATH"] = f"{programs}:{rest}"
            one.start()
            yield _Idle(one, programs / engine, (Path(theirs) / engine).resolve())
    finally:
        shutil.rmtree(programs)


@pytest.fixture
def idle(running: _Idle) -> Iterator[_Idle]:
    """The database, protected; its engine is put back afterwards, and is well then."""
    wait_protected(running.one)
    yield running
    running.restore()
    wait_well(running.one, "engine")


def test_an_engine_that_was_removed_is_a_fault(idle: _Idle) -> None:
    """Without any push that would fail."""
    idle.program.unlink()
    assert wait_fault(idle.one, "engine")["kind"] == "engine missing"
    assert not status(idle.one)["protected"]


def test_an_engine_that_is_not_executable_is_a_fault(idle: _Idle) -> None:
    """The problem names the permission."""
    idle.program.chmod(0o644)
    assert "executable" in wait_fault(idle.one, "engine")["problem"]


def test_an_engine_of_another_machine_is_a_fault(idle: _Idle) -> None:
    """The kernel refuses to start it."""
    head = bytearray(idle.original.read_bytes()[:4096])
    head[18:20] = b"\x16\x00"  # e_machine: S/390
    idle.program.unlink()
    idle.program.write_bytes(head)
    idle.program.chmod(0o755)
    assert "cannot be started" in wait_fault(idle.one, "engine")["problem"]


def test_an_engine_whose_daemon_ends_is_a_fault(idle: _Idle) -> None:
    """It answers everything else."""
    idle.program.unlink()
    idle.program.write_text(
        f'#!/bin/sh\ncase "$*" in *daemon*) exit 3 ;; esac\nexec {idle.original} "$@"\n'
    )
    idle.program.chmod(0o755)
    idle.one.kill("engine")
    assert "daemon" in wait_fault(idle.one, "engine")["problem"]

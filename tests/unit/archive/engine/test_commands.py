"""A command of the engine that fails becomes a fault in the engine's own words."""

import asyncio
from pathlib import Path

import pytest

from walsup.archive.engine.adapter import Engine
from walsup.archive.engine.commands import Commands, Failure
from walsup.archive.faults import FaultKind

NAME = "000000010000000000000007"
SECRET = "z9-this-is-a-secret"


def _commands(folder: Path, script: str) -> Commands:
    """Return an engine that is a shell script."""
    program = folder / "walrus"
    program.write_text(f"#!/bin/sh\n{script}\n")
    program.chmod(0o755)
    return Commands(
        engine=Engine("walrus", program, None),
        config=folder / "engine.json",
        secrets=(SECRET,),
        more={"OF_THIS_ENGINE": "seen"},
    )


async def test_a_command_that_succeeds_is_no_failure(tmp_path: Path) -> None:
    """The engine is called with its configuration, the segment and its own variables."""
    commands = _commands(tmp_path, 'echo "$@ $OF_THIS_ENGINE"')
    output = tmp_path / "out"
    assert await commands.push(tmp_path / NAME, output, timeout_s=30) is None
    assert output.read_text() == (
        f"--config {tmp_path}/engine.json wal-push {tmp_path}/{NAME} seen\n"
    )
    assert await commands.fetch(NAME, tmp_path / "target", output, timeout_s=30) is None
    assert f"wal-fetch {NAME} {tmp_path}/target" in output.read_text()


async def test_a_failure_has_the_engines_words_without_secrets(tmp_path: Path) -> None:
    """The kind comes from its output; the code and what was tried stand before it."""
    script = f"echo first; echo 'no space left on device {SECRET}'; exit 7"
    failure = await _commands(tmp_path, script).push(
        tmp_path / NAME, tmp_path / "out", timeout_s=30
    )
    assert failure is not None
    assert failure.code == 7
    brief = failure.fault(f"{NAME} could not be pushed")
    assert brief.kind == FaultKind.DISK_FULL
    assert brief.problem.startswith(f"{NAME} could not be pushed (7): no space left")
    named = failure.ended("walrus wal-push")
    assert named.problem.startswith("walrus wal-push ended with 7: no space left")
    assert "first" not in named.problem
    shown = failure.ended("walrus wal-push", shows_lines=True)
    assert "\n  first\n" in shown.problem
    assert SECRET not in f"{brief}{named}{shown}{failure}"


@pytest.mark.parametrize("how", ["time is over", "cancelled"])
async def test_a_command_that_is_given_up_is_a_failure(tmp_path: Path, how: str) -> None:
    """It ends by a signal, which is a negative code."""
    commands, cancelled = _commands(tmp_path, "exec sleep 60"), asyncio.Event()
    if how == "cancelled":
        cancelled.set()
    timeout_s = 0.1 if how == "time is over" else 60.0
    failure = await commands.push(
        tmp_path / NAME, tmp_path / "out", timeout_s=timeout_s, cancelled=cancelled
    )
    assert failure is not None
    assert failure.code < 0


def test_an_engine_that_reports_success_and_has_done_nothing_can_be_read_too(
    tmp_path: Path,
) -> None:
    """Without any output it is the engine that is broken."""
    failure = Failure.read(0, tmp_path / "missing", ())
    assert failure.fault("x").kind == FaultKind.ENGINE_BROKEN
    assert failure.fault("x").problem == "x (0): "

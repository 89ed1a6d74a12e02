"""A standby's restore_command: what fails is 1, whatever it was (S15)."""

import subprocess
from pathlib import Path

import pytest

from walsup.archive.engine import restore_command
from walsup.archive.engine.adapter import Engine

NAME = "000000010000000000000007"


def _run(tmp_path: Path, client: str, name: str) -> int:
    program = tmp_path / "walrus"
    program.write_text(f"#!/bin/sh\n{client}\n")
    program.chmod(0o755)
    engine = Engine(name="walrus", program=program, client=None)
    command = restore_command.standby_command(engine, tmp_path)
    command = command.replace("%f", name).replace("%p", "wanted").replace("%%", "%")
    return subprocess.run(["sh", "-c", command], check=False, cwd=tmp_path).returncode


@pytest.mark.parametrize("client", ["exit 1", "exit 74", "exit 137", "kill -9 $$"])
@pytest.mark.rule("standby-survives")
def test_any_end_of_the_client_is_1(tmp_path: Path, client: str) -> None:
    """Without an answer of the agent it is 1 too, after its patience."""
    assert _run(tmp_path, client, NAME) == 1


@pytest.mark.rule("standby-survives")
def test_a_hit_is_moved_to_its_place(tmp_path: Path) -> None:
    """A file of its own is written: one that comes late is not mistaken for another's."""
    target = 'for last; do :; done; echo "$@" >"$last"'
    assert _run(tmp_path, target, NAME) == 0
    assert NAME in (tmp_path / "wanted").read_text()
    assert [path.name for path in tmp_path.glob("wanted*")] == ["wanted"]


@pytest.mark.rule("standby-survives")
def test_only_the_agent_hands_over_histories(tmp_path: Path) -> None:
    """The client is not asked for them: a foreign one would be followed."""
    assert _run(tmp_path, "touch asked", "00000002.history") == 1
    assert not (tmp_path / "asked").exists()

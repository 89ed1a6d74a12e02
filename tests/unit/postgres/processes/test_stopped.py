"""Which of postgres's processes a signal has stopped, from /proc."""

from pathlib import Path

import pytest

from walsup.postgres.processes.stopped import Process, Processes


def child(proc: Path, pid: int, title: str, state: str) -> None:
    """A process as /proc has it."""
    (proc / str(pid)).mkdir()
    (proc / str(pid) / "cmdline").write_text(title + "\0" * 3)
    (proc / str(pid) / "stat").write_text(f"{pid} (a ) b) {state} 1 2 3")


@pytest.fixture
def proc(tmp_path: Path) -> Path:
    """A postmaster, 10, with two helpers and a session."""
    child(tmp_path, 10, "postgres -D /data", "S")
    (tmp_path / "10" / "task" / "10").mkdir(parents=True)
    (tmp_path / "10" / "task" / "10" / "children").write_text("11 12 13 14 ")
    child(tmp_path, 11, "postgres: main: checkpointer ", "T")
    child(tmp_path, 12, "postgres: startup waiting for 000000010000000000000003", "T")
    child(tmp_path, 13, "postgres: walwriter app [local] idle", "T")
    child(tmp_path, 14, "postgres: walreceiver streaming 0/3000060", "S")
    return tmp_path


def test_f_a_stopped_process_is_named(proc: Path) -> None:
    """Helpers and the postmaster; a session of a role with such a name is none."""
    seen = Processes(proc)
    assert seen.stopped(10) == [Process(11, "checkpointer"), Process(12, "startup")]
    (proc / "10" / "stat").write_text("10 (postgres) T 1")
    assert seen.stopped(10)[0] == Process(10, "postmaster")
    (proc / "10" / "task" / "10" / "children").write_text("14 ")
    assert seen.stopped(10) == [Process(10, "postmaster")]


@pytest.mark.parametrize("pid", [0, 99])
def test_without_a_postmaster_nothing_is_stopped(proc: Path, pid: int) -> None:
    """It has not begun, or has ended."""
    assert Processes(proc).stopped(pid) == []

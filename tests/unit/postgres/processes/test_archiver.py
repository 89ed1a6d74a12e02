"""The archiver is told by its title, whatever else runs below the postmaster."""

from pathlib import Path

import pytest

from walsup.postgres.processes.archiver import Archiver, find, has_push_of


def _process(proc: Path, pid: int, title: str, state: str, *children: int, parent: int = 1) -> None:
    task = proc / str(pid) / "task" / str(pid)
    task.mkdir(parents=True)
    (task / "children").write_text("".join(f"{child} " for child in children))
    (proc / str(pid) / "cmdline").write_text(title)
    (proc / str(pid) / "stat").write_text(f"{pid} (post) gres) {state} {parent} 1 1")


@pytest.mark.parametrize(
    "title",
    [
        "postgres: archiver \0\0\0",
        "postgres: archiver last was 000000010000000000000003\0",
        "postgres: archiver archiving 000000010000000000000003.00000028.backup",
        "postgres: main: archiver failed on 00000002.history",
    ],
)
def test_it_is_found_by_each_of_its_titles(tmp_path: Path, title: str) -> None:
    """Idle, busy, after success and failure, with a cluster_name."""
    _process(tmp_path, 10, "postgres", "S", 11, 12)
    _process(tmp_path, 11, "postgres: checkpointer ", "S")
    _process(tmp_path, 12, title, "S")
    assert find(10, tmp_path) == Archiver(12, "S", 0)


def test_the_one_of_the_last_look_is_read_first(tmp_path: Path) -> None:
    """Unless it is no archiver any more, or another postmaster's."""
    title = "postgres: archiver "
    _process(tmp_path, 10, "postgres", "S")
    _process(tmp_path, 11, title, "S", parent=10)
    assert find(10, tmp_path) is None
    assert find(10, tmp_path, before_pid=11) == Archiver(11, "S", 0)
    assert find(10, tmp_path, before_pid=99) is None
    (tmp_path / "11" / "stat").write_text("11 (postgres) S 7 1 1")
    assert find(10, tmp_path, before_pid=11) is None
    _process(tmp_path, 20, "postgres", "S", 22)
    _process(tmp_path, 21, "postgres: checkpointer ", "S", parent=20)
    _process(tmp_path, 22, title, "S", parent=20)
    assert find(20, tmp_path, before_pid=21) == Archiver(22, "S", 0)


def test_a_user_called_archiver_is_not_taken_for_it(tmp_path: Path) -> None:
    """Backends show user, database, address and what they do."""
    _process(tmp_path, 10, "postgres", "S", 11)
    _process(tmp_path, 11, "postgres: archiver mydb [local] idle", "S")
    assert find(10, tmp_path) is None
    assert find(99, tmp_path) is None


def test_a_stopped_archiver_and_a_stopped_push_are_told(tmp_path: Path) -> None:
    """Also when it is not the shell that is stopped, but what it runs."""
    _process(tmp_path, 10, "postgres", "S", 11)
    _process(tmp_path, 11, "postgres: archiver archiving 000000010000000000000003", "S", 20)
    _process(tmp_path, 20, "sh", "S", 21)
    _process(tmp_path, 21, "walrus", "T")
    found = find(10, tmp_path)
    assert found
    assert found.push == 20
    assert found.stopped == "the archive_command (pid 20)"
    (tmp_path / "11" / "stat").write_text("11 (postgres) T 1")
    again = find(10, tmp_path)
    assert again
    assert again.stopped == "the archiver (pid 11)"


@pytest.mark.rule("one-owner")
def test_a_push_that_has_lost_its_archiver_is_found(tmp_path: Path) -> None:
    """By the configuration that it was given; the postmaster's own argument is no push."""
    config = Path("/run/walsup/engine.json")
    command = f"timeout -k 3 12 wal-g --config {config} wal-push pg_wal/0"
    _process(tmp_path, 10, f"postgres\0-c\0archive_command={command}\0", "S")
    _process(tmp_path, 11, f"sh\0-c\0{command}\0", "S")
    _process(tmp_path, 12, "wal-g\0--config\0/run/other/engine.json\0wal-push\0pg_wal/0\0", "S")
    assert not has_push_of(config, tmp_path)
    _process(tmp_path, 13, f"wal-g\0--config\0{config}\0wal-push\0pg_wal/0\0", "S")
    assert has_push_of(config, tmp_path)

"""The state file and the termination message (S27)."""

from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from walsup.init.state_file import TOUCH_S, StateFile, write_termination


@pytest.mark.rule("probes-do-not-kill")
def test_writes_changes_only(tmp_path: Path) -> None:
    """The same fields again are no change, and the file stays as it is."""
    state = StateFile(str(tmp_path))
    assert state.due_in() == 0
    assert state.write({"phase": "running", "pid": ""})
    first = (tmp_path / "state").stat()
    assert 0 < state.due_in() <= TOUCH_S
    assert not state.write({"phase": "running", "pid": ""})
    assert (tmp_path / "state").stat() == first
    assert state.write({"phase": "running", "pid": 7})
    lines = (tmp_path / "state").read_text().splitlines()
    assert lines[:2] == ["phase=running", "pid=7"]
    assert lines[2].startswith("updated_at=")
    assert (tmp_path / "state").stat().st_ino != first.st_ino
    assert [entry.name for entry in tmp_path.iterdir()] == ["state"]


@pytest.mark.rule("probes-do-not-kill")
def test_a_refusing_file_system_is_no_end(tmp_path: Path) -> None:
    """A change that could not be written is written later, and told then."""
    state = StateFile(str(tmp_path / "absent"))
    assert not state.write({"phase": "running"})
    (tmp_path / "absent").mkdir()
    assert state.write({"phase": "running"})


@given(st.text())
@pytest.mark.rule("probes-do-not-kill")
def test_a_value_is_one_line(tmp_path_factory: pytest.TempPathFactory, value: str) -> None:
    """Whatever it holds, lone surrogates included, it cannot forge a key."""
    folder = tmp_path_factory.getbasetemp() / "forge"
    folder.mkdir(exist_ok=True)
    StateFile(str(folder)).write({"detail": value})
    text = (folder / "state").read_text(encoding="utf-8")
    assert len(text.splitlines()) == 2


@pytest.mark.rule("probes-do-not-kill")
def test_undecodable_paths_are_written(tmp_path: Path) -> None:
    """A path that is no UTF-8 arrives with surrogates in it."""
    assert StateFile(str(tmp_path)).write({"detail": "/data\udcff"})
    write_termination(str(tmp_path / "last"), "/data\udcff")
    assert (tmp_path / "last").read_text() == "/data?"


@given(st.text(max_size=5000))
def test_termination_message_fits(tmp_path_factory: pytest.TempPathFactory, text: str) -> None:
    """At most 4096 bytes, and never half a character."""
    file = tmp_path_factory.getbasetemp() / "termination"
    write_termination(str(file), text)
    content = file.read_bytes()
    assert len(content) <= 4096
    content.decode()


def test_termination_message_may_have_no_place(tmp_path: Path) -> None:
    """No path, or one that cannot be written."""
    write_termination("", "lost")
    write_termination(str(tmp_path / "absent" / "last"), "lost")
    assert list(tmp_path.iterdir()) == []

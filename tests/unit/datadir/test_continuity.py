"""What the next start is held to: the note, and what a crash may have changed since."""

import os
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from walsup.datadir import continuity
from walsup.datadir.continuity import CheckpointPosition, Ended, Note, why_broken
from walsup.init import postgres_end
from walsup.postgres.pg_control import ControlData, DBState

LEFT = CheckpointPosition(0x3000028, 1_700_000_000, 1, 1, DBState.SHUT_DOWN)
KILLED = LEFT._replace(state=DBState.IN_PRODUCTION)
NOTE = Note(
    archive="s3://b/p",
    system_id=7,
    boot="one",
    start=LEFT,
    position=LEFT,
    running=False,
    arguments="same",
    ended=Ended("yes", 1.5),
)
RUNNING = NOTE._replace(running=True, position=KILLED, ended=None)
CONTROL = ControlData(7, 1300, 1, LEFT.state, LEFT.checkpoint_lsn, LEFT.checkpoint_lsn, 1, 1 << 24)
CONTROL = CONTROL._replace(checkpoint_at=LEFT.at, wal_level=1)


def test_the_note_survives_there_and_back(tmp_path: Path) -> None:
    """For this archive only."""
    continuity.write(tmp_path, NOTE)
    assert continuity.read(tmp_path, "s3://b/p") == NOTE
    assert continuity.read(tmp_path, "s3://b/other") is None


@pytest.mark.parametrize("content", ["", "{}", "[]", "nonsense", '{"archive": "s3://b/p"}'])
def test_an_unreadable_note_is_none(tmp_path: Path, content: str) -> None:
    """As if it were absent."""
    (tmp_path / continuity.NOTE).write_text(content)
    assert continuity.read(tmp_path, "s3://b/p") is None


POSITIONS = st.builds(
    CheckpointPosition,
    st.sampled_from([LEFT.checkpoint_lsn, LEFT.checkpoint_lsn - 8, LEFT.checkpoint_lsn + 8]),
    st.sampled_from([LEFT.at, LEFT.at + 1]),
    st.sampled_from([1, 2]),
    st.sampled_from([0, 1, 2]),
    st.sampled_from(DBState),
)


@given(POSITIONS, st.sampled_from(["same", "other", ""]))
def test_names_in_a_row_after_a_clean_stop_anything_else_is_broken(
    found: CheckpointPosition, started: str
) -> None:
    """Nothing but the very checkpoint that the run ended with."""
    assert bool(why_broken(NOTE, found, started)) == (found != LEFT)


@given(POSITIONS, st.sampled_from(["same", "other", ""]))
def test_names_in_a_row_after_a_crash_only_the_same_server_may_have_gone_on(
    found: CheckpointPosition, started: str
) -> None:
    """Checkpoints that the note has missed are legal: later ones, of the same postmaster."""
    is_legal = found == KILLED or (
        started == "same"
        and not found.has_ended
        and found.wal_level != 0
        and (found.timeline, found.checkpoint_lsn) >= (1, LEFT.checkpoint_lsn)
        and (found.checkpoint_lsn != LEFT.checkpoint_lsn or found.at == LEFT.at)
    )
    assert bool(why_broken(RUNNING, found, started)) != is_legal


@given(POSITIONS, st.sampled_from(["same", "other", ""]))
def test_an_end_that_only_pid_1_has_seen_is_as_good(
    found: CheckpointPosition, started: str
) -> None:
    """It excuses "shut down", and no other sign."""
    crashed = found._replace(state=DBState.IN_PRODUCTION)
    broken = bool(why_broken(RUNNING, crashed, started))
    if found != LEFT._replace(state=found.state):
        assert bool(why_broken(RUNNING, found, started, has_seen_end=True)) == broken


def test_an_end_counts_for_its_run_and_for_the_very_bytes(tmp_path: Path) -> None:
    """Those of a server that was started by hand after it are others."""
    (tmp_path / "global").mkdir()
    pg_control = tmp_path / "global" / "pg_control"
    pg_control.write_bytes(b"left" * 2048)
    assert not continuity.has_seen_end(tmp_path, "one")
    pid = postgres_end.note(str(tmp_path), "one")
    assert os.waitpid(pid, 0) == (pid, 0)
    assert continuity.has_seen_end(tmp_path, "one")
    assert not continuity.has_seen_end(tmp_path, "two")

    continuity.write(tmp_path, RUNNING)
    (tmp_path / "postmaster.opts").write_text('postgres "-D"\n')
    noted = RUNNING._replace(arguments=continuity.digest(("-D",)))
    ended = CONTROL._replace(checkpoint_lsn=CONTROL.checkpoint_lsn + 8)
    archive = NOTE.archive
    continuity.write(tmp_path, noted)
    assert not continuity.begin(tmp_path, archive, "two", ended, ("-D",), continues=True).broken
    continuity.write(tmp_path, noted)
    pg_control.write_bytes(b"hand" * 2048)
    begun = continuity.begin(tmp_path, archive, "two", ended, ("-D",), continues=True)
    assert "started by hand" in begun.broken


def test_both_sides_mean_the_same_file() -> None:
    """PID 1 imports nothing of postgres's package."""
    assert (continuity.ENDED, continuity.CONTROL_BYTES) == (
        postgres_end.FILE,
        postgres_end.CONTROL_BYTES,
    )


def test_a_start_that_was_killed_before_postgres_wrote_anything_is_continued() -> None:
    """The note says that it was about to be started; pg_control still says "shut down"."""
    assert not why_broken(RUNNING._replace(position=LEFT), LEFT, "")


def test_the_command_line_is_known_again(tmp_path: Path) -> None:
    """As PostgreSQL writes it into postmaster.opts."""
    arguments = ("-D", "/some where", "-c", "archive_command=a \"b\" 'c'")
    (tmp_path / "postmaster.opts").write_text(
        "/usr/lib/postgresql/15/bin/postgres"
        ' "-D" "/some where" "-c" "archive_command=a "b" \'c\'"\n'
    )
    assert continuity.started_with(tmp_path) == continuity.digest(arguments)
    assert continuity.started_with(tmp_path) != continuity.digest(arguments[:2])
    assert continuity.started_with(tmp_path / "absent") == ""


def test_what_was_found_broken_stays_until_it_is_settled(tmp_path: Path) -> None:
    """Also over a start whose bucket never answered."""
    continuity.write(tmp_path, NOTE)
    changed = CONTROL._replace(checkpoint_lsn=CONTROL.checkpoint_lsn + 8)
    archive = NOTE.archive
    first = continuity.begin(tmp_path, archive, "two", changed, ("-D",), continues=True)
    assert "changed between two runs" in first.broken
    assert first.before == NOTE.ended
    again = continuity.begin(tmp_path, archive, "three", changed, ("-D",), continues=True)
    assert again.broken == first.broken
    assert again.before is None
    assert not again.is_first
    fresh = continuity.begin(tmp_path, archive, "four", changed, ("-D",), continues=False)
    assert not fresh.broken
    assert fresh.is_first

"""A cut-off start that comes again empties only what it has filled, however long it was away."""

import os
import shutil
import subprocess
import time
from collections.abc import Callable
from pathlib import Path

import pytest

from dev.harness import S3Server, Walsup
from dev.harness.checks.witness import cli, wait_no_lag, wait_protected
from dev.harness.scenarios.clones import source_of

Make = Callable[..., Walsup]
_ROWS = 400_000


def _source(walsup: Make) -> tuple[Walsup, Path]:
    """A stopped primary whose base backup has a tablespace, and the tablespace's directory."""
    one = walsup(env={"WALSUP_ARCHIVE_TIMEOUT": "2s"}).start()
    wait_protected(one)
    place = one.layout.volume / "sp"
    _make(one, place)
    one.psql(f"create tablespace sp location '{place}'")
    one.psql(f"create table far tablespace sp as select n from generate_series(1, {_ROWS}) n")
    program = shutil.which(one.engine, path=one.machine.search_path(one.engine))
    assert program is not None
    as_owner = ["runuser", "-u", one.machine.db_user, "--"] if os.geteuid() == 0 else []
    words = ["--config", str(one.run_dir / "engine.json"), "backup-push", "--full"]
    subprocess.run([*as_owner, program, *words, str(one.pgdata)], check=True, timeout=120)
    wait_no_lag(one)
    assert one.stop() == 0
    return one, place


def _make(one: Walsup, place: Path) -> None:
    place.mkdir(mode=0o700)
    one.machine.give_to_database(place)


def _files(place: Path) -> list[Path]:
    return sorted(path for path in place.rglob("*") if path.is_file())


def _killed_while_it_fetches(clone: Walsup, place: Path) -> None:
    note = clone.pgdata / ".walsup-stage" / "outside"
    clone.start()
    until = time.monotonic() + 60
    while not (note.exists() and _files(place)) and time.monotonic() < until:
        time.sleep(0.002)  # it is over soon
    clone.kill_tree()
    assert note.exists()
    assert not (clone.pgdata / ".walsup-stage" / "complete").exists()


@pytest.mark.rule("stage")
def test_a_restore_that_was_killed_does_not_empty_a_running_servers_tablespace(
    walsup: Make, s3: S3Server
) -> None:
    """Another restore has filled that directory since, and runs on it."""
    one, place = _source(walsup)
    shutil.rmtree(place)
    _make(one, place)
    killed = walsup(s3=None, env=source_of(s3, one.prefix))
    _killed_while_it_fetches(killed, place)
    for entry in list(place.iterdir()):  # as the message says
        shutil.rmtree(entry)
    runs = walsup(s3=None, env=source_of(s3, one.prefix)).start()
    runs.wait_accepts(timeout_s=90)
    runs.wait_for(lambda: runs.psql("select pg_is_in_recovery()") == "f", "it is promoted")
    runs.psql("checkpoint")
    before = _files(place)

    killed.start()
    assert killed.wait(timeout_s=60) == 74
    assert _files(place) == before
    assert f"{place} cannot be created: the directory is not empty: it holds PG_" in killed.log()
    kept = killed.events("stage.not_emptied")
    assert [event["path"] for event in kept] == [str(place)]
    runs.psql("checkpoint")
    assert runs.psql("select count(*) from far") == str(_ROWS)


@pytest.mark.rule("stage")
def test_a_restore_that_was_killed_does_not_empty_a_volume_that_was_mounted_later(
    walsup: Make, s3: S3Server
) -> None:
    """It is another directory at the same path; what the killed restore left itself is emptied."""
    one, place = _source(walsup)
    right = place.with_name("sp.volume")
    place.rename(right)
    _make(one, place)
    clone = walsup(s3=None, env=source_of(s3, one.prefix))
    _killed_while_it_fetches(clone, place)
    wrong = place.with_name("sp.wrong")
    place.rename(wrong)
    right.rename(place)
    before = _files(place)
    assert before

    checked = cli(clone, "restore", "--check")
    assert "not empty: it holds PG_" in checked.stderr
    clone.start()
    assert clone.wait(timeout_s=60) == 74
    assert _files(place) == before
    assert f"{place} cannot be created: the directory is not empty" in clone.log()

    shutil.rmtree(place)
    _make(one, place)
    _killed_while_it_fetches(clone, place)
    clone.start().wait_accepts(timeout_s=90)
    assert clone.psql("select count(*) from far") == str(_ROWS)

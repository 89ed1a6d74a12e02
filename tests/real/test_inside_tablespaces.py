"""A tablespace inside the data directory, which postgres only warns of, survives a restore."""

import os
import shutil
import subprocess
from collections.abc import Callable
from pathlib import Path

from dev.harness import S3Server, Walsup
from dev.harness.checks.witness import (
    cli,
    sentinels,
    verdict,
    wait_fault,
    wait_no_lag,
    wait_protected,
)
from dev.harness.scenarios.clones import source_of

Make = Callable[..., Walsup]
_ROWS = "select count(*) from far"


def _back_up(one: Walsup) -> None:
    """A base backup by the engine itself."""
    program = shutil.which(one.engine, path=one.machine.search_path(one.engine))
    assert program is not None
    as_owner = ["runuser", "-u", one.machine.db_user, "--"] if os.geteuid() == 0 else []
    words = ["--config", str(one.run_dir / "engine.json"), "backup-push", "--full"]
    subprocess.run([*as_owner, program, *words, str(one.pgdata)], check=True, timeout=120)


def test_a_tablespace_inside_the_data_directory_is_restored(walsup: Make, s3: S3Server) -> None:
    """By a restore into its own directory, by a standby there, and by a clone elsewhere."""
    one = walsup(env={"WALSUP_ARCHIVE_TIMEOUT": "2s"}).start()
    wait_protected(one)
    place = one.pgdata / "spaces" / "inside"
    for made in (place.parent, place):
        made.mkdir(mode=0o700)
        one.machine.give_to_database(made)
    one.psql(f"create tablespace inside location '{place}'")
    one.psql("create table far tablespace inside as select n from generate_series(1, 5000) n")
    _back_up(one)
    assert len(sentinels(s3, one.prefix)) == 2
    one.psql("insert into far values (5001)")
    wait_no_lag(one)

    # WAL-RUS fetches into the directory that was backed up: the running source's.
    clone = walsup(s3=None, env=source_of(s3, one.prefix)).start()
    if one.engine == "wal-g":
        clone.wait_accepts(timeout_s=90)
        assert clone.psql(_ROWS) == "5001"
        link = next((clone.pgdata / "pg_tblspc").iterdir())
        assert link.readlink() == clone.pgdata / "spaces" / "inside"
    else:
        assert clone.wait(timeout_s=60) == 74
        assert f"the tablespace in {place} cannot be created" in verdict(clone)
    clone.close()
    one.psql("vacuum full far")
    assert one.psql(_ROWS) == "5001"
    wait_no_lag(one)
    assert one.stop() == 0

    before = dict(one.environment)
    for wanted in ({"WALSUP_ON_EMPTY_PGDATA": "restore"}, {"WALSUP_ROLE": "standby"}):
        shutil.rmtree(one.pgdata)
        one.environment = before | wanted
        checked = cli(one, "restore", "--check")
        assert checked.returncode == 0, checked.stderr
        one.start()
        one.wait_accepts(timeout_s=90)
        one.wait_for(lambda: one.psql(_ROWS) == "5001", "it has all rows", timeout_s=60)
        assert len(list(place.iterdir())) == 1
        assert one.stop() == 0


_PLACES = ("a", "a/nested", "ab", "sp ace/ü", "pg_wal/space")


def _fill(one: Walsup, name: str, place: Path) -> None:
    place.mkdir(mode=0o700, parents=True, exist_ok=True)
    for made in (place, *place.parents):
        if made.is_relative_to(one.pgdata) and made != one.pgdata:
            one.machine.give_to_database(made)
    one.psql(f"create tablespace {name} location '{place}'")
    one.psql(f"create table of_{name} tablespace {name} as select generate_series(1, 5000) n")


def test_tablespaces_in_other_places_of_the_data_directory_are_restored_or_named(
    walsup: Make, s3: S3Server
) -> None:
    """One that the engine or a restore cannot carry is a fault; a backup holds the others."""
    slow = {"WALSUP_ARCHIVE_TIMEOUT": "2s", "WALSUP_INITIAL_BACKUP": "off"}
    one = walsup(env=slow).start()
    one.wait_accepts()
    for number, name in enumerate(_PLACES):
        _fill(one, f"t{number}", one.pgdata / name)
    away = (one.pgdata.parent if one.engine == "walrus" else one.pgdata / "ab") / "away"
    away.mkdir(parents=True)
    one.machine.give_to_database(away)
    (one.pgdata / "link").symlink_to(away)
    _fill(one, "linked", one.pgdata / "link" / "space")
    assert one.stop() == 0
    one.environment["WALSUP_INITIAL_BACKUP"] = "on"
    one.start()
    fault = wait_fault(one, "backup", timeout_s=60)
    assert fault["kind"] == "left out"
    assert f"the tablespace in {one.pgdata}/link/space" in fault["problem"]
    assert "SET TABLESPACE" in fault["remedy"]
    assert ("WAL-RUS" in fault["remedy"]) == (one.engine == "wal-g")
    assert sentinels(s3, one.prefix) == []

    one.psql("drop table of_linked")
    one.psql("drop tablespace linked")
    (one.pgdata / "link").unlink()
    assert one.stop() == 0
    one.start()
    wait_protected(one, timeout_s=90)
    one.psql("insert into of_t1 values (5001)")
    wait_no_lag(one)
    assert one.stop() == 0

    shutil.rmtree(one.pgdata)
    one.environment["WALSUP_ON_EMPTY_PGDATA"] = "restore"
    one.start()
    one.wait_accepts(timeout_s=90)
    one.wait_for(
        lambda: one.psql("select pg_is_in_recovery()") == "f", "it is promoted", timeout_s=60
    )
    counts = [one.psql(f"select count(*) from of_t{number}") for number in range(len(_PLACES))]
    assert counts == ["5000", "5001", "5000", "5000", "5000"]
    found = {link.readlink() for link in (one.pgdata / "pg_tblspc").iterdir()}
    assert found == {one.pgdata / name for name in _PLACES}

    if one.engine == "wal-g":  # which leaves out this one, without an error
        _fill(one, "logs", one.pgdata / "log")
        _back_up(one)
        assert one.stop() == 0
        clone = walsup(s3=None, env=source_of(s3, one.prefix)).start()
        assert clone.wait(timeout_s=90) == 74
        assert f"holds no file of the tablespace in {one.pgdata}/log" in verdict(clone)

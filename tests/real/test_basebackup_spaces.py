"""Directories of tablespaces that are not empty before a copy is made into them."""

import os
import shutil
import subprocess
from collections.abc import Callable
from pathlib import Path

from dev.harness import Machine, S3Server, Walsup
from dev.harness.checks.witness import cli, wait_no_lag, wait_protected
from dev.harness.processes.pod import Pod
from dev.harness.scenarios.clones import source_of
from dev.harness.scenarios.standbys import STANDBY, conninfo

Make = Callable[..., Walsup]
_ROWS = "select count(*) from far"


def _with_tablespace(one: Walsup, place: Path, rows: int) -> None:
    place.mkdir(mode=0o700)
    one.machine.give_to_database(place)
    one.psql(f"create tablespace late location '{place}'")
    one.psql(f"create table far tablespace late as select n from generate_series(1, {rows}) n")


def _back_up(one: Walsup) -> None:
    """A base backup by the engine itself."""
    program = shutil.which(one.engine, path=one.machine.search_path(one.engine))
    assert program is not None
    as_owner = ["runuser", "-u", one.machine.db_user, "--"] if os.geteuid() == 0 else []
    words = ["--config", str(one.run_dir / "engine.json"), "backup-push", "--full"]
    subprocess.run([*as_owner, program, *words, str(one.pgdata)], check=True, timeout=120)


def _files(place: Path) -> list[Path]:
    return [path for path in place.rglob("*") if path.is_file()]


def test_a_start_removes_what_a_killed_pg_basebackup_has_left_in_a_tablespace(
    walsup: Make, pod: Callable[..., Pod], machine: Machine
) -> None:
    """And nothing that was there before it: then it says what holds it up."""
    one = walsup(s3=None).start()
    one.wait_accepts()
    place = one.layout.volume / "late"
    _with_tablespace(one, place, 3_000_000)

    env = STANDBY | {"PGDATA": "/pv/data", "POSTGRES_PASSWORD": "x"}
    env["WALSUP_PRIMARY_CONNINFO"] = conninfo(one)
    two = pod(env=env, volume="/pv")
    theirs = two.mount(str(place), two.layout.base / "late")
    theirs.chmod(0o700)
    machine.give_to_database(theirs)
    two.start()
    two.wait_for(lambda: _files(theirs), "it copies the tablespace")
    two.kill_tree()
    assert _files(theirs)
    two.start()
    two.wait_for(lambda: two.accepts() and two.psql(_ROWS) == "3000000", "it follows", timeout_s=90)
    assert two.stop() == 0

    shutil.rmtree(two.layout.volume / "data")
    two.start()
    said = two.wait_for(lambda: two.events("fault.appeared"), "it says why")[0]
    assert said["kind"] == "tablespace"
    assert f"a tablespace in {place}, but that directory is not empty" in said["problem"]
    assert f"delete the content of {place}" in said["remedy"]
    assert _files(theirs)


def test_lost_and_found_in_a_tablespaces_directory_is_no_obstacle_to_a_restore(
    walsup: Make, s3: S3Server
) -> None:
    """A volume that is mounted at that very path has one, which only root may read."""
    one = walsup(env={"WALSUP_ARCHIVE_TIMEOUT": "2s"}).start()
    wait_protected(one)
    place = one.layout.volume / "late"
    _with_tablespace(one, place, 5000)
    _back_up(one)
    wait_no_lag(one)
    assert one.stop() == 0
    shutil.rmtree(place)
    place.mkdir(mode=0o700)
    one.machine.give_to_database(place)
    (place / "lost+found").mkdir(mode=0o700)
    clone = walsup(s3=None, env=source_of(s3, one.prefix))
    checked = cli(clone, "restore", "--check")
    assert checked.returncode == 0, checked.stderr
    clone.start().wait_accepts(timeout_s=90)
    assert clone.psql(_ROWS) == "5000"
    assert (place / "lost+found").is_dir()

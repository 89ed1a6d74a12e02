"""A tablespace inside the data directory, which postgres only warns of, survives a restore."""

import os
import shutil
import subprocess
from collections.abc import Callable

from dev.harness import S3Server, Walsup
from dev.harness.checks.witness import cli, sentinels, verdict, wait_no_lag, wait_protected
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
        assert f"the tablespace in {place} cannot be made" in verdict(clone)
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

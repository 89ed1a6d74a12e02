"""Tablespaces that were created after the base backup: no replay uses another's files."""

import json
import shutil
from collections.abc import Callable
from pathlib import Path

from dev.harness import S3Server, Walsup
from dev.harness.clones import source_of
from dev.harness.witness import cli, owner, verdict, wait_no_lag, wait_protected

Make = Callable[..., Walsup]
_ROWS = "select count(*) from far"


def _late(one: Walsup) -> Path:
    """Create a tablespace with a table in it, after the base backup."""
    place = one.layout.volume / "late"
    place.mkdir(mode=0o700)
    one.machine.give_to_database(place)
    one.psql(f"create tablespace late location '{place}'")
    one.psql("create table far tablespace late as select n from generate_series(1, 5000) n")
    return place


def _of_an_older_walsup(s3: S3Server, prefix: str) -> str:
    """A copy of the archive that does not tell where tablespaces are; gives its prefix."""
    older = f"{prefix}-older"
    for key in s3.keys(f"{prefix}/"):
        s3.put(key.replace(prefix, older, 1), s3.get(key))
    fields = owner(s3, older)
    assert fields.pop("tablespaces")
    s3.put(f"{older}/walsup/owner.json", json.dumps(fields).encode())
    return older


def test_a_clone_never_replays_into_the_files_of_another_server(walsup: Make, s3: S3Server) -> None:
    """Refused beforehand; ended before it, at every start; then with a directory made."""
    source = walsup(env={"WALSUP_ARCHIVE_TIMEOUT": "2s"}).start()
    wait_protected(source)
    source.psql("create table near as select 1 n")
    before = source.psql("select clock_timestamp()")
    source.psql("insert into near values (2)")
    place = _late(source)
    wait_no_lag(source)
    source.wait_for(lambda: owner(s3, source.prefix)["tablespaces"], "the owner tells where")

    refused = walsup(s3=None, env=source_of(s3, source.prefix))
    checked = cli(refused, "restore", "--check")
    assert checked.returncode == 74
    assert f"in {place}: " in checked.stderr
    assert refused.start().wait(timeout_s=60) == 74
    assert f"in {place}: " in verdict(refused)

    clone = walsup(s3=None, env=source_of(s3, _of_an_older_walsup(s3, source.prefix)))
    for _ in range(2):
        clone.start()
        assert clone.wait(timeout_s=90) == 65
        assert f"in {place}, cannot be replayed here" in verdict(clone)
        assert list((clone.pgdata / "pg_tblspc").iterdir()) == []
    source.psql("vacuum full far")
    assert source.psql(_ROWS) == "5000"

    lsn = verdict(clone).partition("WALSUP_RESTORE_TARGET_LSN=")[2].split()[0]
    for wanted in (
        {"WALSUP_RESTORE_TARGET_LSN": lsn, "WALSUP_RESTORE_TARGET_INCLUSIVE": "off"},
        {"WALSUP_RESTORE_TARGET_TIME": before},
    ):
        earlier = walsup(s3=None, env=source_of(s3, source.prefix) | wanted).start()
        earlier.wait_accepts(timeout_s=90)
        assert earlier.psql("select to_regclass('far')") == ""
        earlier.close()

    assert source.stop() == 0
    shutil.move(place, place.with_name("moved"))
    clone.start()
    clone.wait_accepts(timeout_s=90)
    assert clone.psql(_ROWS) == "5000"
    assert clone.stop() == 0

"""A server that has only the public half of its archive's key (WAL-G): it archives, and says so."""

import shutil
from collections.abc import Callable
from pathlib import Path

import pytest

from dev.harness import S3Server, Walsup
from dev.harness.checks.witness import (
    segments,
    sentinels,
    status,
    verdict,
    wait_fault,
    wait_no_lag,
    wait_protected,
)
from dev.harness.scenarios.restore_by_hand import restore

Make = Callable[..., Walsup]
_KEYS = Path(__file__).parents[1] / "keys"
_KEY = "WALG_PGP_KEY_PATH"


@pytest.fixture
def keyed(walsup: Make) -> Callable[[str], Walsup]:
    """Makes a walsup with this key; WAL-RUS has no OpenPGP, and says that (test_abilities)."""

    def make(name: str) -> Walsup:
        one = walsup(env={"WALSUP_LEASE": "1s", "WALSUP_ARCHIVE_TIMEOUT": "2s"})
        _give(one, name)
        return one

    return make


def _give(one: Walsup, name: str) -> None:
    path = one.layout.base / "key.asc"
    path.write_text((_KEYS / f"{name}.asc").read_text())
    path.chmod(0o644)
    one.environment[_KEY] = str(path)


def test_with_a_public_key_alone_it_archives_and_says_what_is_not_read(
    keyed: Callable[[str], Walsup], s3: S3Server, engine: str
) -> None:
    """One base backup, a named level, archiving over restarts and a kill, and a clear refusal."""
    one = keyed("rsa-public").start()
    if engine == "walrus":
        one.wait_event("fault.appeared")
        assert not status(one)["protected"]
        return
    wait_protected(one)
    seen = status(one)
    assert seen["backup"]["state"] == "listed"
    assert "by listing, not read: no private key here" in seen["backup"]["verified"]
    assert "not read" in seen["attention"]["decryption"]["problem"]
    assert seen["faults"] == {}
    one.psql("create table ledger (n int)")
    one.psql("insert into ledger values (1)")
    assert one.stop() == 0
    assert "is in the bucket: yes" in verdict(one)
    assert "listed and not read" in verdict(one)

    # What the stop has swept is still .ready: the next run pushes it over its own object.
    one.start()
    wait_protected(one)
    for number in range(2, 5):
        one.psql(f"insert into ledger values ({number})")
        one.psql("select pg_switch_wal()")
    wait_no_lag(one)
    wait_protected(one)
    assert len(sentinels(s3, one.prefix)) == 1
    assert not any(e["kind"] == "engine disagrees" for e in one.events("fault.appeared"))
    assert one.stop() == 0

    # A push whose answer was lost: its object is there, and its .ready too.
    done = sorted((one.pgdata / "pg_wal/archive_status").glob("0*.done"))
    done[-1].rename(done[-1].with_suffix(".ready"))
    one.start()
    wait_protected(one)
    one.psql("insert into ledger values (5)")
    before = segments(s3, one.prefix)[-1]
    one.psql("select pg_switch_wal()")
    wait_no_lag(one)
    assert segments(s3, one.prefix)[-1] > before
    wait_protected(one)
    assert status(one)["holes"] == []
    assert len(sentinels(s3, one.prefix)) == 1
    assert one.stop() == 0

    _refuses_to_restore(one)
    _give(one, "rsa-private")
    assert restore(one, one.engine, one.pgdata.parent / "restored") == 5


def _refuses_to_restore(one: Walsup) -> None:
    kept = one.pgdata.with_name("kept")
    shutil.move(one.pgdata, kept)
    one.environment["WALSUP_ON_EMPTY_PGDATA"] = "restore"
    one.start()
    assert one.wait() == 73
    said = verdict(one)
    assert f"{_KEY} holds only a public key" in said
    assert "nothing has been fetched" in said
    assert not one.events("restore.began")


def test_a_locked_private_key_reads_with_its_passphrase_only(
    keyed: Callable[[str], Walsup], engine: str
) -> None:
    """Without it the level is named, a wrong one is a fault; with it the same backup is read."""
    if engine == "walrus":
        return
    one = keyed("rsa-locked").start()
    wait_protected(one)
    assert status(one)["backup"]["state"] == "listed"
    assert "WALG_PGP_KEY_PASSPHRASE is not set" in status(one)["attention"]["decryption"]["problem"]
    assert one.stop() == 0
    one.environment["WALG_PGP_KEY_PASSPHRASE"] = "another one"
    one.start()
    assert wait_fault(one, "backup")["kind"] == "no private key"
    assert one.stop() == 0
    one.environment["WALG_PGP_KEY_PASSPHRASE"] = "locked-by-this"
    one.start()
    wait_protected(one)
    assert status(one)["backup"]["state"] == "proven"
    assert "decryption" not in status(one)["attention"]
    assert one.stop() == 0
    assert "not read" not in verdict(one)

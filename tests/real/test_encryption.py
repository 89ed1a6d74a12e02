"""WALG_LIBSODIUM_KEY works with both engines: what is in the bucket is encrypted, and restores."""

from collections.abc import Callable
from typing import Any

from dev.harness import S3Server, Walsup
from dev.harness.checks.witness import Ledger, segments, status, verdict, wait_fault, wait_protected
from dev.harness.scenarios.restore_by_hand import restore

Make = Callable[..., Walsup]
KEY = "6b" * 32
KEY_OF = "WALG_LIBSODIUM"
_LZ4, _ZSTD = bytes.fromhex("04224d18"), bytes.fromhex("28b52ffd")


def _encrypts(one: Walsup) -> bool:
    """Wait until it is protected; False when this wal-g was built without libsodium, and says so.

    The release binaries have it; one that somebody built may not.
    """

    def look() -> dict[str, Any] | None:
        seen = status(one)
        # That pushes fail is told at once, and why a moment later.
        told = seen.get("faults", {}).get("segments", {}).get("kind") == "engine unable"
        return seen if seen.get("protected") or told else None

    seen = one.wait_for(look, "protected, or a fault", timeout_s=60)
    if seen["protected"]:
        return True
    fault = seen["faults"]["segments"]
    assert one.engine == "wal-g"
    assert "was not compiled with libsodium" in fault["problem"]
    return False


def test_segments_and_base_backup_are_encrypted_and_restore(walsup: Make, s3: S3Server) -> None:
    """The key is shown nowhere, and needed for a restore."""
    encrypted = {"WALG_LIBSODIUM_KEY": KEY, "WALG_LIBSODIUM_KEY_TRANSFORM": "hex"}
    one = walsup(env=encrypted).start()
    if not _encrypts(one):
        return
    with Ledger(one) as ledger:
        one.wait_for(lambda: ledger.acknowledged > 30, "rows")
    assert one.stop() == 0
    assert "is in the bucket: yes" in verdict(one)
    stored = [key for key in s3.keys(one.prefix) if key.endswith((".lz4", ".zst"))]
    assert any("/tar_partitions/" in key for key in stored)
    assert sum("/wal_005/" in key for key in stored) >= 2
    assert not any(s3.get(key).startswith((_LZ4, _ZSTD)) for key in stored)
    assert KEY not in one.layout.log_file.read_text()
    assert restore(one, one.engine, one.pgdata.parent / "restored") == ledger.acknowledged


def test_whose_an_encrypted_archive_is_can_be_told(walsup: Make, s3: S3Server) -> None:
    """Without owner.json and sentinels, by the first page of a segment that is decrypted.

    Without the key the engine's own words say why not.
    """
    one = walsup()
    path = one.layout.base / "libsodium"
    path.write_text(KEY)
    path.chmod(0o644)
    one.environment |= {
        "WALG_LIBSODIUM_KEY_PATH": str(path),
        "WALG_LIBSODIUM_KEY_TRANSFORM": "hex",
    }
    one.start()
    if not _encrypts(one):
        return
    assert one.stop() == 0
    for key in s3.keys(one.prefix):
        if "/wal_005/" not in key:
            s3.delete(key)
    (one.pgdata / ".walsup-owned").unlink()
    before = segments(s3, one.prefix)
    without = {name: one.environment.pop(name) for name in list(one.environment) if KEY_OF in name}
    one.start()
    fault = wait_fault(one, "gate")
    assert fault["kind"] == "engine broken"
    assert "could not be fetched to identify its cluster" in fault["problem"]
    assert one.stop() == 0
    one.environment |= without
    one.start()
    wait_protected(one)
    assert segments(s3, one.prefix)[0] == before[0]


def test_the_audit_reads_an_encrypted_archive_with_its_key(walsup: Make, s3: S3Server) -> None:
    """Garbage and another segment's bytes are damaged and pushed again; a copy of it is right."""
    encrypted = {"WALG_LIBSODIUM_KEY": KEY, "WALG_LIBSODIUM_KEY_TRANSFORM": "hex"}
    one = walsup(env=encrypted | {"WALSUP_LEASE": "1s", "WALSUP_ARCHIVE_TIMEOUT": "2s"}).start()
    if not _encrypts(one):
        return
    one.psql("create table ledger (n int)")
    for number in range(1, 6):
        one.psql(f"insert into ledger values ({number})")
        last = one.psql("select pg_walfile_name(pg_switch_wal())")
    one.wait_for(lambda: _verified(one) > last, "they are verified", timeout_s=60)
    names = [name for name in segments(s3, one.prefix) if name <= last][-4:]
    keys = [key for name in names for key in s3.keys(f"{one.prefix}/wal_005/{name}.")]
    before = [s3.get(key) for key in keys]
    for at, content in enumerate((b"garbage" * 1000, before[3], before[2])):
        s3.put(keys[at], content)
    one.wait_for(
        lambda: (
            {e["name"] for e in one.events("segment.read")} >= {names[2]}
            and {e["name"] for e in one.events("segment.pushed_again")} >= set(names[:2])
        ),
        "what has changed is read and mended",
        timeout_s=60,
    )
    wait_protected(one)
    assert {e["name"] for e in one.events("segment.damaged")} == set(names[:2])
    assert s3.get(keys[2]) == before[2]
    assert status(one)["holes"] == []
    assert one.stop() == 0
    assert "is in the bucket: yes" in verdict(one)
    assert restore(one, one.engine, one.pgdata.parent / "restored") == 5


def _verified(one: Walsup) -> str:
    """The name of the segment before which everything is verified in the bucket."""
    proven = status(one)["lag"]["proven_lsn"]
    return one.psql(f"select pg_walfile_name('{proven}'::pg_lsn + 1)") if proven else ""

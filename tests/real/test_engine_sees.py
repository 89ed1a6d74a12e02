"""A base backup is verified when the engine lists and reads it, not when walsup's client does."""

import shutil
from collections.abc import Callable

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
from dev.harness.faults.engine_faults import wrap_engine
from dev.harness.storage.rights import LEAST_PREFIX

Make = Callable[..., Walsup]

_ELSEWHERE = """#!/bin/sh
# The engine, with another prefix than the one in its configuration.
if [ "$1" = --config ]; then
    config="$2.$$.json"
    sed 's#\\("WALG_S3_PREFIX": "[^"]*\\)"#\\1-elsewhere"#' "$2" > "$config"
    shift 2
    set -- --config "$config" "$@"
fi
exec {program} "$@"
"""


def test_a_prefix_is_restored_from_or_rejected_by_name(walsup: Make, s3: S3Server) -> None:
    """WAL-RUS loses a part of such keys when it lists them; WAL-G does not."""
    prefix = f"odd/&a'b\"<c>+ü/{walsup().prefix}"
    one = walsup(prefix=prefix, env={"WALSUP_ON_EMPTY_PGDATA": "restore"}).start()
    if one.engine == "walrus":
        fault = wait_fault(one, "gate")
        assert fault["kind"] == "engine unable"
        assert "has & < > \" ' in its prefix" in fault["problem"]
        one.wait_accepts()
        assert not status(one)["protected"]
        assert not s3.keys(f"{prefix}/wal_005/")
        clone = walsup(env={"WALSUP_RESTORE_FROM": f"s3://{s3.bucket}/{prefix}"}).start()
        assert clone.wait() == 73
        assert "has & < > \" ' in its prefix" in verdict(clone)
        return
    wait_protected(one)
    one.psql("create table t as select 42 n")
    one.psql("select pg_switch_wal()")
    wait_no_lag(one)
    assert one.stop() == 0
    shutil.rmtree(one.pgdata)
    one.start()
    one.wait_accepts(timeout_s=90)
    assert one.psql("select n from t") == "42"


def test_parts_that_the_engine_may_not_read_are_not_verified(walsup: Make, s3: S3Server) -> None:
    """Put and list work; s3:GetObject on the parts is denied. The verdict says so too."""
    key = "least-no-parts"
    given = {"AWS_ACCESS_KEY_ID": key, "AWS_SECRET_ACCESS_KEY": f"secret-{key}"}
    one = walsup(prefix=f"{LEAST_PREFIX}/{walsup().prefix}", env=given).start()
    fault = wait_fault(one, "backup", timeout_s=60)
    assert fault["kind"] == "no rights"
    assert "s3:GetObject" in fault["problem"]
    assert status(one)["backup"]["state"] != "proven"
    assert not status(one)["protected"]
    assert len(sentinels(s3, one.prefix)) == 1
    assert one.stop() == 0
    assert "is in the bucket: no: " in verdict(one)


def test_a_backup_that_the_engine_cannot_unpack_is_followed_by_another(
    walsup: Make, s3: S3Server
) -> None:
    """Its smallest part has the right size and name, and other bytes: a listing shows nothing."""
    one = walsup().start()
    wait_protected(one)
    assert one.stop() == 0
    parts = {key: size for key, size in s3.objects(one.prefix).items() if "/tar_partitions/" in key}
    smallest = min(parts, key=lambda key: (parts[key], key))
    s3.put(smallest, bytes(parts[smallest]))
    one.start()
    wait_protected(one)
    assert len(sentinels(s3, one.prefix)) == 2
    assert any(e["kind"] == "engine disagrees" for e in one.events("fault.appeared"))


def test_an_engine_that_writes_elsewhere_is_a_fault_with_the_reason(
    walsup: Make, s3: S3Server
) -> None:
    """What it stores is compared with what the owner object guards."""
    one = walsup()
    wrap_engine(one, _ELSEWHERE)
    one.start()

    def named() -> bool:
        found = status(one).get("faults", {}).get("segments", {})
        return bool(found.get("kind") == "engine disagrees")

    one.wait_for(named, "the fault that names it", timeout_s=60)
    fault = status(one)["faults"]["segments"]
    assert f"below s3://{s3.bucket}/{one.prefix}/wal_005/" in fault["problem"]
    assert segments(s3, f"{one.prefix}-elsewhere")
    assert not segments(s3, one.prefix)
    assert not status(one)["protected"]

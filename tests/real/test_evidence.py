"""S4: whose an archive without owner.json is, as far as its sentinels tell."""

import json
import secrets
from pathlib import Path

import pytest

from dev.harness import S3Server
from dev.harness.processes.layout import archive_environment
from walsup import settings
from walsup.archive.engine.adapter import Engine
from walsup.archive.faults import FaultError
from walsup.archive.ownership.identity import Evidence, gather
from walsup.archive.storage.bucket import Bucket, open_bucket


def _bucket(s3: S3Server, *, segments: bool, **system_ids: int | None) -> Bucket:
    prefix = f"evidence-{secrets.token_hex(3)}"
    if segments:
        s3.put(f"{prefix}/wal_005/000000010000000000000003.lz4", b"x")
    for name, system_id in system_ids.items():
        fields = {"LSN": 1 << 24, "FinishLSN": 1 << 25, "SystemIdentifier": system_id}
        key = f"{prefix}/basebackups_005/base_{name}_backup_stop_sentinel.json"
        s3.put(key, json.dumps(fields).encode())
    return open_bucket(settings.load(archive_environment(s3, prefix, None)))


async def _gather(bucket: Bucket, place: Path) -> Evidence:
    engine = Engine(name="wal-g", program=Path("/bin/false"), client=None)
    return await gather(bucket, engine, place / "engine.json", place, ())


@pytest.mark.rule("ownership")
async def test_the_newest_sentinel_that_names_a_cluster_tells(s3: S3Server, tmp_path: Path) -> None:
    """Two clusters have written there; WAL-G before 1.0 named none."""
    found = await _gather(_bucket(s3, segments=True, a=7, b=8), tmp_path)
    assert (found.system_id, found.seen_in, found.compression) == (8, "base_b", "lz4")
    found = await _gather(_bucket(s3, segments=True, a=7, b=8, c=None), tmp_path)
    assert (found.system_id, found.seen_in) == (8, "base_b")
    assert (await _gather(_bucket(s3, segments=False), tmp_path)).system_id is None


@pytest.mark.rule("ownership")
async def test_what_tells_nothing_is_not_taken(s3: S3Server, tmp_path: Path) -> None:
    """A backup without a name and without WAL; a segment that the engine cannot fetch."""
    for segments, said in (
        (False, "base_a in the archive does not"),
        (True, "be fetched"),
    ):
        with pytest.raises(FaultError, match=said):
            await _gather(_bucket(s3, segments=segments, a=None), tmp_path)

"""A name is not the object: what lies in a folder of an archive's folder counts as nothing."""

from collections.abc import Callable

from dev.harness import S3Server, Walsup
from dev.harness.checks.witness import (
    cli,
    segments,
    sentinels,
    status,
    verdict,
    wait_no_lag,
    wait_protected,
)
from dev.harness.faults.http_fault_proxy import PickyProxy
from dev.harness.processes.layout import archive_environment
from dev.harness.scenarios.clones import answer_of_clone
from walsup import settings
from walsup.archive import valid_keys
from walsup.archive.catalog import base_backups, listing
from walsup.archive.storage.bucket import open_bucket
from walsup.postgres.wal import Segment

Make = Callable[..., Walsup]
SIZE = 1 << 24
MANY = 2100  # more than two pages of a listing


async def test_a_name_is_not_the_object_however_many_lie_deeper(s3: S3Server) -> None:
    """A server shows a folder once, and its listing costs as little as without it."""
    prefix = "names-many"
    first = Segment(timeline=1, number=1, size=SIZE)
    direct = [f"wal_005/{Segment(timeline=1, number=n, size=SIZE).name}.zst" for n in (1, 2, 4)]
    for key in (*direct, *(f"wal_005/old/{n:08X}.history" for n in range(1, MANY))):
        s3.put(f"{prefix}/{key}", b"x")
    s3.put(f"{prefix}/wal_005/{first.next().next().name}.zst/part", b"x")
    s3.put(f"{prefix}/basebackups_005/old/base_1{valid_keys.SENTINEL}", b"{}")
    with PickyProxy(s3.port) as proxy:
        environment = archive_environment(s3, prefix, proxy.endpoint)
        bucket = open_bucket(settings.load(environment))
        pages = [page async for page in bucket.pages("wal_005")]
        assert len(pages) == 1
        assert [listed.key for listed in pages[0].objects] == direct
        assert pages[0].folders == ("wal_005/000000010000000000000003.zst/", "wal_005/old/")
        assert await listing.timelines(bucket) == (1,)
        assert (await listing.advance(bucket, first.previous())).mark == first.next()
        assert await base_backups.backups(bucket) == ()
        assert not await listing.is_empty(bucket)
        assert sum(proxy.seen.values()) < 10


def test_a_name_is_not_the_object_for_lag_verdict_and_restore(walsup: Make, s3: S3Server) -> None:
    """The next twelve names in a folder, while the server rejects every upload."""
    with PickyProxy(s3.port) as proxy:
        one = walsup(
            endpoint=proxy.endpoint,
            env={"WALSUP_ARCHIVE_TIMEOUT": "2s", "WALSUP_STOP_GRACE": "15s"},
        ).start()
        wait_protected(one)
        one.psql("create table t as select 1 n")
        wait_no_lag(one)
        _put_in_folder(s3, one.prefix)
        proxy.spoil(
            "403", times=1_000_000, only=lambda what: what.startswith("PUT") and "wal_005" in what
        )
        one.psql("insert into t values (2)")
        one.psql("select pg_switch_wal()")
        one.wait_for(lambda: not status(one)["lag"]["idle"], "what is not uploaded is lag")
        one.wait_for(lambda: not status(one)["protected"], "it is not protected", timeout_s=60)
        assert one.stop() == 0
        assert "is in the bucket: no" in verdict(one)
        proxy.spoil()
        listings = sum(proxy.seen.values())
        listed = cli(one, "restore", "--list")
        assert listed.returncode == 0, listed.stderr
        assert "timeline 2" not in listed.stdout
        assert sum(proxy.seen.values()) - listings < 40
        one.start()
        wait_no_lag(one)
        assert one.stop() == 0
    assert answer_of_clone(walsup, s3, one.prefix, "select count(*) from t") == "2"


def _put_in_folder(s3: S3Server, prefix: str) -> None:
    """Copy the next twelve names, a later timeline's and a base backup's, each into a folder."""
    newest = Segment.parse(segments(s3, prefix)[-1], SIZE)
    source = next(key for key in s3.keys(f"{prefix}/wal_005/") if newest.name in key)
    content = s3.get(source)
    for _ in range(12):
        newest = newest.next()
        s3.put(f"{prefix}/wal_005/old/{newest.name}.lz4", content)
        later = Segment(timeline=2, number=newest.number, size=SIZE)
        s3.put(f"{prefix}/wal_005/branch/{later.name}.lz4", content)
    s3.put(f"{prefix}/wal_005/branch/00000002.history", b"1\t0/3000000\tno recovery target\n")
    sentinel = sentinels(s3, prefix)[0]
    s3.put(sentinel.replace("basebackups_005/", "basebackups_005/old/"), s3.get(sentinel))

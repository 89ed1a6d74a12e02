"""The mark in the bucket: the end of the gap-free run, on a real listing (S33)."""

import secrets

import pytest

from dev.harness import S3Server
from dev.harness.processes.layout import archive_environment
from walsup import settings
from walsup.archive.catalog import listing
from walsup.archive.catalog.scope import Scope
from walsup.archive.catalog.timelines import TimelineHistory
from walsup.archive.listing_check.worker import look
from walsup.archive.storage.bucket import Bucket, open_bucket
from walsup.postgres.wal import Segment

SIZE = 1 << 24


def _bucket(s3: S3Server, *names: str) -> Bucket:
    prefix = f"catalog-{secrets.token_hex(3)}"
    for name in names:
        s3.put(f"{prefix}/wal_005/{name}", b"x")
    return open_bucket(settings.load(archive_environment(s3, prefix, None)))


def _name(number: int, timeline: int = 1) -> str:
    return Segment(timeline=timeline, number=number, size=SIZE).name


def _mark(number: int) -> Segment:
    return Segment(timeline=1, number=number, size=SIZE)


@pytest.mark.rule("lag")
async def test_a_later_segment_proves_nothing_about_an_earlier_one(s3: S3Server) -> None:
    """Uploads are parallel: 5 is seen before 4."""
    bucket = _bucket(s3, *(f"{_name(n)}.zst" for n in (1, 2, 3, 5, 6)))
    assert (await listing.advance(bucket, _mark(0))).mark == _mark(3)
    assert (await listing.advance(bucket, _mark(3))).mark == _mark(3)
    assert (await listing.advance(bucket, _mark(4))).mark == _mark(6)


@pytest.mark.rule("lag")
async def test_what_is_no_segment_of_the_timeline_is_passed_over(s3: S3Server) -> None:
    """Histories, backup labels, partial files and other timelines; any extension, or two."""
    bucket = _bucket(
        s3,
        f"{_name(1)}.lz4",
        f"{_name(1)}.zst",
        f"{_name(2)}.00000028.backup.lz4",
        f"{_name(2)}.lz4",
        f"{_name(3)}.partial.lz4",
        f"{_name(4)}.lz4",
        f"{_name(3, 2)}.lz4",
        "00000002.history",
    )
    assert (await listing.advance(bucket, _mark(0))).mark == _mark(2)


@pytest.mark.rule("same-name-other-bytes")
async def test_two_objects_of_one_segment_are_found(s3: S3Server) -> None:
    """Under any two extensions, also none and WAL-E's; a label and a partial file are others."""
    bucket = _bucket(
        s3,
        f"{_name(1)}.lz4",
        f"{_name(1)}.lzo",
        _name(2),
        f"{_name(2)}.00000028.backup.lz4",
        f"{_name(2)}.zst",
        f"{_name(3)}.lz4",
        f"{_name(3)}.partial.lz4",
        "00000002.history.br",
        "00000002.history.lz4",
    )
    found = await look(
        bucket, Scope(system_id=7, line=TimelineHistory.of(1, ()), size=SIZE, head=3)
    )
    assert found.twice == (_name(1), _name(2), "00000002.history")


@pytest.mark.rule("lag")
async def test_the_run_crosses_pages_of_the_listing_and_the_log_boundary(
    s3: S3Server,
) -> None:
    """A listing answers 1000 keys at a time; segment 255 is followed by another log number."""
    bucket = _bucket(s3, *(_name(n) for n in range(1, 1101)))
    assert (await listing.advance(bucket, _mark(0))).mark == _mark(1100)


async def test_the_newest_segment_is_told_by_timeline_and_number(s3: S3Server) -> None:
    """Whose archive it is, is read from it."""
    bucket = _bucket(s3, f"{_name(9)}.lz4", f"{_name(4, 10)}.zst", "0000000A.history")
    assert (await listing.newest_segment(bucket)).endswith(f"{_name(4, 10)}.zst")
    assert await listing.newest_segment(_bucket(s3)) == ""

"""Wiping where versions, delete markers, retention and legal holds are kept (S32)."""

import random
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from dev.harness import S3Server, wait_until
from dev.harness.scenarios.wiping import OWNER, Laid, owner
from dev.harness.storage.rights import LEAST_PREFIX, WIPE_ACTIONS, WIPE_LOCKED
from walsup import settings
from walsup.archive.wipe.s3_server import WipeServer
from walsup.archive.wipe.s3_target import Objects
from walsup.archive.wipe.target import Entry
from walsup.settings import ArchiveUrl

HELD, KEPT = "basebackups_005/held", "wal_005/kept"


@pytest.fixture
def locked(s3: S3Server, request: pytest.FixtureRequest) -> Laid:
    """A place for an archive in a bucket with object lock."""
    boto = s3.boto()
    if WIPE_LOCKED not in (one["Name"] for one in boto.list_buckets()["Buckets"]):
        boto.create_bucket(Bucket=WIPE_LOCKED, ObjectLockEnabledForBucket=True)
    words = request.node.name.lower().replace("_", "-").partition("[")[0]
    prefix = f"{LEAST_PREFIX}/{words[:40]}-{random.randrange(1 << 30):x}"
    return Laid(s3, prefix, bucket=WIPE_LOCKED, boto=boto)


@pytest.fixture
def suspended(s3: S3Server) -> Iterator[Laid]:
    """A place in a bucket whose versioning was turned off again: null versions beside others."""
    boto, bucket = s3.boto(), "walsup-suspended"
    boto.create_bucket(Bucket=bucket)
    laid = Laid(s3, "db", bucket=bucket, boto=boto)
    for status in ("Enabled", "Suspended"):
        boto.put_bucket_versioning(Bucket=bucket, VersioningConfiguration={"Status": status})
        laid.fill()
        if status == "Enabled":  # not later: SeaweedFS 4.48 never deletes a marker called null
            boto.delete_object(Bucket=bucket, Key="db/wal_005/00000002.history.lz4")
    yield laid
    boto.delete_bucket(Bucket=bucket)


def _retain(laid: Laid, key: str, until: datetime, mode: str = "COMPLIANCE", **which: str) -> None:
    retention: dict[str, Any] = {"Mode": mode, "RetainUntilDate": until}
    name = f"{laid.prefix}/{key}"
    laid.boto.put_object_retention(Bucket=laid.bucket, Key=name, Retention=retention, **which)


def _hold(laid: Laid, key: str, status: str) -> None:
    hold = {"Status": status}
    laid.boto.put_object_legal_hold(Bucket=laid.bucket, Key=f"{laid.prefix}/{key}", LegalHold=hold)


def _soon(seconds: int) -> datetime:
    return (datetime.now(UTC) + timedelta(seconds=seconds)).replace(microsecond=0)


@pytest.mark.rule("wipe")
def test_all_versions_and_delete_markers_go(locked: Laid) -> None:
    """Also of what has been deleted before, and of the owner object."""
    for _ in range(3):
        locked.fill()
    for key in (KEPT, "wal_005/00000002.history.lz4", OWNER):
        locked.boto.delete_object(Bucket=locked.bucket, Key=f"{locked.prefix}/{key}")
    locked.put(OWNER, owner(state="stopped").to_json())
    neighbours = locked.neighbours()
    shown = locked.wipe().stdout
    lines = {line.split()[0]: line.split() for line in shown.splitlines()}
    there = locked.everything()
    counted = int(lines["objects"][1]) + int(lines["old"][2]) + int(lines["delete"][2])
    assert (counted, lines["delete"][2]) == (len(there), "3")
    done = locked.wipe_all()
    assert done.returncode == 0, done.stderr
    assert locked.everything() == []
    assert locked.are_there(neighbours)


@pytest.mark.rule("wipe")
def test_listings_of_many_pages(locked: Laid) -> None:
    """Three at a time: each version, marker and upload once, and none of a neighbour's."""
    for _ in range(2):
        locked.fill()
    for key in (KEPT, "notes/by hand.txt"):
        locked.boto.delete_object(Bucket=locked.bucket, Key=f"{locked.prefix}/{key}")
    locked.neighbours()
    uploads = [f"wal_005/{n}" for n in range(7)]
    for key in uploads:
        locked.begin_upload(key)
    known = settings.load(locked.environment())
    archive = ArchiveUrl(locked.bucket, locked.prefix)
    place = Objects(WipeServer(known, archive, 10.0), archive, page=3)
    pages = list(place.entries())
    listed = [(one.key, one.version) for page in pages for one in page]
    assert sorted(listed) == sorted(locked.everything())
    assert len(pages) > 5
    names = [one.key for page in place.names() for one in page]
    assert names == sorted(
        {one.key for page in pages for one in page if one.latest} - _marked(pages)
    )
    assert sorted(one.key for page in place.uploads() for one in page) == uploads
    place.close()


def _marked(pages: list[list[Entry]]) -> set[str]:
    return {one.key for page in pages for one in page if one.marker and one.latest}


@pytest.mark.rule("wipe")
def test_null_versions_go_too(suspended: Laid) -> None:
    """In a bucket whose versioning is suspended a plain delete would leave a marker for ever."""
    assert "null" in {version for _, version in suspended.everything()}
    done = suspended.wipe_all()
    assert done.returncode == 0, done.stderr
    assert suspended.everything() == []


@pytest.mark.rule("wipe")
def test_what_is_locked_stays_and_is_named(locked: Laid) -> None:
    """Retention in both modes and a legal hold: until when, not 0, wiping; later all goes."""
    locked.fill()
    until, later = _soon(9), _soon(10)
    for key in (HELD, KEPT, "wal_005/governed"):
        locked.put(key)
        locked.put(key)
    _retain(locked, KEPT, until)
    _retain(locked, "wal_005/governed", later, "GOVERNANCE")
    _hold(locked, HELD, "ON")
    text = f"{later:%Y-%m-%dT%H:%M:%S}"
    shown = locked.wipe()
    assert "will remain: 1 under compliance retention until" in shown.stdout
    assert "will remain: 1 legal hold" in shown.stdout
    refused = locked.wipe_all()
    assert refused.returncode == 74
    assert "3 versions stay" in refused.stderr
    assert f"under governance retention until {text}" in refused.stderr
    assert f"{HELD} " in refused.stderr
    assert f"run this again after {text}" in refused.stderr
    assert "legal holds" in refused.stderr
    assert {key for key, _ in locked.everything()} == {HELD, KEPT, "wal_005/governed", OWNER}
    assert (locked.owner().state, locked.owner().boot) == ("wiping", "")
    _hold(locked, HELD, "OFF")
    wait_until(lambda: datetime.now(UTC) > later + timedelta(seconds=1), "it is over")
    done = locked.wipe_all()
    assert done.returncode == 0, done.stderr
    assert locked.everything() == []


@pytest.mark.rule("wipe")
def test_an_owner_object_that_is_locked_itself(locked: Laid) -> None:
    """A bucket may lock all that is written: the last run must write nothing, or never end."""
    locked.put("walsup/conditions")
    locked.put(OWNER, owner(state="wiping", boot="").to_json())
    until = _soon(5)
    _retain(locked, OWNER, until)
    before = locked.everything()
    refused = locked.wipe_all()
    assert refused.returncode == 74
    assert "under compliance retention until" in refused.stderr
    left = locked.everything()
    assert [one for one in left if one[0] == OWNER] == [one for one in before if one[0] == OWNER]
    wait_until(lambda: datetime.now(UTC) > until + timedelta(seconds=1), "it is over")
    assert locked.wipe_all().returncode == 0
    assert locked.everything() == []


@pytest.mark.rule("wipe")
def test_the_documented_permissions_are_enough(locked: Laid) -> None:
    """Versions, markers, uploads, a locked one: with a key that has the documented policy."""
    key = {"AWS_ACCESS_KEY_ID": "wipe", "AWS_SECRET_ACCESS_KEY": "secret-wipe"}
    for _ in range(2):
        locked.fill()
    locked.boto.delete_object(Bucket=locked.bucket, Key=f"{locked.prefix}/wal_005/nothing")
    locked.begin_upload("basebackups_005/half")
    locked.put(HELD)
    _hold(locked, HELD, "ON")
    assert "unfinished" in locked.wipe(**key).stdout
    assert "1 versions stay: 1 legal hold" in locked.wipe_all(**key).stderr
    _hold(locked, HELD, "OFF")
    done = locked.wipe_all(**key)
    assert done.returncode == 0, done.stderr
    assert (locked.everything(), locked.uploads()) == ([], [])


@pytest.mark.parametrize("action", WIPE_ACTIONS)
@pytest.mark.rule("wipe")
def test_a_missing_right_is_named(locked: Laid, action: str) -> None:
    """What may not be deleted is no success, and no lock."""
    locked.fill()
    locked.begin_upload("basebackups_005/half")
    if action == "GetObjectRetention":
        _hold(locked, "notes/by hand.txt", "ON")
    name = f"wipe-no-{WIPE_ACTIONS.index(action)}"
    key = {"AWS_ACCESS_KEY_ID": name, "AWS_SECRET_ACCESS_KEY": f"secret-{name}"}
    refused = locked.wipe_all(**key)
    assert refused.returncode == 74, refused.stdout
    assert "no rights" in refused.stderr
    assert f"s3:{action}" in refused.stderr
    assert OWNER in {key for key, _ in locked.everything()}

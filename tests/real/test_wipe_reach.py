"""Reaching the server to wipe (S32): every kind of credentials, TLS, one without versions."""

import os
from collections.abc import Iterator
from pathlib import Path

import pytest

from dev.harness import LooseS3, S3Server
from dev.harness.scenarios.wiping import OWNER, Laid, owner, wipe
from dev.harness.storage.aws_metadata import Cloud, kinds
from walsup import settings
from walsup.archive.faults import FaultError
from walsup.archive.storage.s3.blocking import carry
from walsup.archive.storage.s3.keys import KeyRing
from walsup.archive.storage.s3.server import S3Server as BucketServer
from walsup.archive.wipe.s3_server import WipeServer
from walsup.archive.wipe.s3_target import Objects
from walsup.archive.wipe.target import Entry
from walsup.settings import ArchiveUrl


@pytest.fixture
def cloud(s3: S3Server) -> Iterator[Cloud]:
    """A cloud that gives out the server's key."""
    made = Cloud(s3)
    yield made
    made.close()


def _place(environment: dict[str, str]) -> Objects:
    known = settings.load(environment)
    assert isinstance(known.archive, ArchiveUrl)
    return Objects(WipeServer(known, known.archive, 30.0), known.archive)


def _keys(place: Objects) -> list[str]:
    return [one.key for page in place.entries() for one in page]


@pytest.mark.parametrize("kind", ["instance", "container", "web identity"])
@pytest.mark.rule("wipe")
def test_credentials_that_are_asked_for(
    s3: S3Server, cloud: Cloud, tmp_path: Path, kind: str
) -> None:
    """The same as the bucket's client takes, and once for many requests."""
    (tmp_path / "token").write_text("a-token\n")
    laid = Laid(s3, f"wipe-{kind.replace(' ', '-')}")
    laid.fill()
    environment = laid.environment(**kinds(cloud, tmp_path / "token")[kind])
    for name in ("AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY"):
        del environment[name]
    place = _place(environment)
    found = [one for page in place.entries() for one in page]
    assert len(found) > 5
    asked = len(cloud.asked)
    assert place.delete(found) == []
    assert _keys(place) == []
    assert len(cloud.asked) == asked
    place.close()


@pytest.mark.rule("wipe")
def test_no_credentials_is_a_fault_of_its_own(s3: S3Server) -> None:
    """It names what is missing, and no token."""
    nowhere = {"AWS_EC2_METADATA_SERVICE_ENDPOINT": "http://127.0.0.1:9", "AWS_REGION": "x"}
    known = settings.load(nowhere | {"WALSUP_ARCHIVE": f"s3://{s3.bucket}/x"})
    with pytest.raises(FaultError) as raised:
        carry(KeyRing(known, "x").now(), 5)
    assert raised.value.fault.kind == "auth"
    assert "AWS_ACCESS_KEY_ID" in raised.value.fault.problem


@pytest.mark.rule("wipe")
def test_over_tls_with_a_ca_of_ones_own(s3: S3Server) -> None:
    """And refused without it."""
    laid = Laid(s3, "wipe-tls")
    laid.fill()
    assert "tls:" in laid.wipe_all(AWS_ENDPOINT=s3.https_endpoint).stderr
    done = laid.wipe_all(AWS_ENDPOINT=s3.https_endpoint, WALSUP_CA_FILE=str(s3.ca_file))
    assert done.returncode == 0, done.stderr
    assert laid.everything() == []


@pytest.mark.rule("wipe")
def test_wrong_keys_are_named(s3: S3Server) -> None:
    """Nothing is taken for empty."""
    refused = Laid(s3, "wipe-wrong").wipe(AWS_SECRET_ACCESS_KEY="wrong")
    assert refused.returncode == 74
    assert refused.stderr.startswith("auth: s3:ListBucketVersions")
    absent = Laid(s3, "wipe-wrong", bucket="no-such-bucket").wipe()
    assert absent.returncode == 74
    assert absent.stderr.startswith("no bucket:")


@pytest.mark.rule("wipe")
def test_the_address_of_amazons() -> None:
    """The bucket in the host's name, where a certificate covers that."""
    with_keys = {"AWS_ACCESS_KEY_ID": "a", "AWS_SECRET_ACCESS_KEY": "b", "AWS_REGION": "eu-west-3"}
    for bucket, host in (
        ("plain", "plain.s3.eu-west-3.amazonaws.com"),
        ("with.dots", "s3.eu-west-3.amazonaws.com"),
    ):
        known = settings.load(with_keys | {"WALSUP_ARCHIVE": f"s3://{bucket}/db"})
        assert isinstance(known.archive, ArchiveUrl)
        assert BucketServer(known, known.archive).host == host


@pytest.mark.rule("wipe")
def test_a_server_without_versions() -> None:
    """rclone: no versions, no conditions; keys that are paths. Only what is below the prefix."""
    with LooseS3() as loose:
        put = loose.client.put_object
        for key in ("db/wal_005/a b+c", "db/walsup/x", "db2/wal_005/theirs", "other/x"):
            put(Bucket=loose.bucket, Key=key, Body=b"1")
        environment = loose.environment | {"WALSUP_ARCHIVE": f"s3://{loose.bucket}/db"}
        place = _place(environment)
        found = [one for page in place.entries() for one in page]
        assert [(one.key, one.version) for one in found] == [
            ("wal_005/a b+c", ""),
            ("walsup/x", ""),
        ]
        assert list(place.uploads()) in ([], [[]])
        assert place.locks() is False
        assert place.delete([*found, Entry("wal_005/gone", 0, 0.0)]) == []
        assert (_keys(place), [*place.names()]) == ([], [[]])
        place.close()
        left = sorted(str(p.relative_to(loose.directory)) for p in loose.directory.rglob("*"))
        assert [one for one in left if not one.startswith("db/")] == [
            *("db2", "db2/wal_005", "db2/wal_005/theirs", "other", "other/x")
        ]


@pytest.mark.rule("wipe")
def test_a_server_without_conditions() -> None:
    """Like all that owns an archive: only where WALSUP_UNSAFE_OWNER is on."""
    with LooseS3() as loose:
        put = loose.client.put_object
        put(Bucket=loose.bucket, Key="db/wal_005/x", Body=b"1")
        put(Bucket=loose.bucket, Key="db2/wal_005/theirs", Body=b"1")
        stopped = owner(state="stopped").to_json()
        put(Bucket=loose.bucket, Key=f"db/{OWNER}", Body=stopped)
        base = {"PATH": os.environ["PATH"], "WALSUP_ARCHIVE": f"s3://{loose.bucket}/db"}
        environment = loose.environment | base
        assert "does not list old versions" in wipe(environment).stdout
        refused = wipe(environment, "--confirm", "db")
        assert refused.returncode == 74
        assert "WALSUP_UNSAFE_OWNER" in refused.stderr
        assert (loose.directory / "db" / OWNER).read_bytes() == stopped
        done = wipe(environment | {"WALSUP_UNSAFE_OWNER": "1"}, "--confirm", "db")
        assert done.returncode == 0, done.stderr
        files = [path for path in loose.directory.rglob("*") if path.is_file()]
        assert [path.name for path in files] == ["theirs"]


@pytest.mark.rule("wipe")
def test_the_whole_bucket_is_no_archive(s3: S3Server) -> None:
    """The settings refuse it; if they did not, this would."""
    known = settings.load(Laid(s3, "x").environment())
    archive = ArchiveUrl(s3.bucket, "")
    with pytest.raises(ValueError, match="whole bucket"):
        Objects(WipeServer(known, archive, 10.0), archive)

"""Where a restore reads from: nothing of the archive with a key of the source, or the reverse."""

import pytest

from walsup.errors import SettingsError
from walsup.settings import ArchiveUrl, load, origin, relevant

OWN = {
    "WALSUP_ARCHIVE": "s3://own/a",
    "AWS_ENDPOINT": "http://own:1",
    "AWS_ACCESS_KEY_ID": "own-key",
    "AWS_SECRET_ACCESS_KEY": "own-secret",
    "WALG_LIBSODIUM_KEY": "own-sodium",
}
KEYS = {"RESTORE_AWS_ACCESS_KEY_ID": "its-key", "RESTORE_AWS_SECRET_ACCESS_KEY": "its-secret"}


def test_without_keys_of_its_own_the_archives_are_used() -> None:
    """The same server, another path."""
    source = origin(load(OWN | {"WALSUP_RESTORE_FROM": "s3://source/b"}), own=False)
    assert source.archive == ArchiveUrl(bucket="source", prefix="b")
    assert (source.endpoint, source.access_key_id) == ("http://own:1", "own-key")
    assert source.restore_from is None


def test_with_any_of_its_own_nothing_of_the_archives_is() -> None:
    """No key reaches a server that it is not meant for."""
    known = load(
        OWN | {"WALSUP_RESTORE_FROM": "s3://source/b", "RESTORE_AWS_REGION": "eu-9"} | KEYS
    )
    source = origin(known, own=False)
    assert (source.endpoint, source.region) == (None, "eu-9")
    assert (source.access_key_id, source.secret_access_key) == ("its-key", "its-secret")
    assert "own-sodium" not in source.passed_on.values()
    assert known.access_key_id == "own-key"
    assert not any(name.startswith("RESTORE_") for name in known.passed_on)
    assert "its-secret" in known.secrets
    assert "its-secret" not in repr(known)


def test_kubedbs_names() -> None:
    """RESTORE=true says that they are meant."""
    kubedb = {
        "RESTORE": "true",
        "RESTORE_S3_PREFIX": "s3://source/kubedb/demo/pg/archive",
        "RESTORE_S3_ENDPOINT": "http://minio:9000",
        "BACKUP_NAME": "LATEST",
        "PITR": "true",
        "TARGET_TIME": "2026-01-01 10:00:00+00",
        "TARGET_INCLUSIVE": "false",
    }
    known = load(OWN | kubedb | KEYS)
    assert str(known.restore_from) == "s3://source/kubedb/demo/pg/archive"
    assert origin(known, own=False).endpoint == "http://minio:9000"
    assert known.restore_target_time == "2026-01-01 10:00:00.000000+00:00"
    assert not known.restore_target_inclusive
    assert known.restore_backup == ""
    assert load(OWN | kubedb | {"RESTORE": "false"}).restore_from is None
    assert load(relevant(OWN | kubedb | KEYS)) == known._replace(foreign=())


def test_spilos_names() -> None:
    """CLONE_*, with its own layout of the bucket."""
    spilo = {
        "CLONE_SCOPE": "orders",
        "CLONE_WAL_S3_BUCKET": "source",
        "CLONE_WAL_BUCKET_SCOPE_SUFFIX": "/8d1c",
        "CLONE_TARGET_TIME": "2026-01-01T10:00:00+00:00",
        "CLONE_AWS_ACCESS_KEY_ID": "its-key",
        "CLONE_AWS_SECRET_ACCESS_KEY": "its-secret",
        "CLONE_AWS_ENDPOINT": "http://s3:1",
        "PGVERSION": "15",
    }
    known = load(OWN | spilo)
    assert str(known.restore_from) == "s3://source/spilo/orders/8d1c/wal/15"
    source = origin(known, own=False)
    assert (source.endpoint, source.access_key_id) == ("http://s3:1", "its-key")


@pytest.mark.parametrize(
    ("given", "says"),
    [
        (
            {"WALSUP_RESTORE_TARGET_LSN": "0/1", "WALSUP_RESTORE_TARGET_XID": "5"},
            "WALSUP_RESTORE_TARGET_LSN and WALSUP_RESTORE_TARGET_XID are both set",
        ),
        ({"WALSUP_RESTORE_FROM": "s3://own/a/b"}, "overlap"),
        ({"WALSUP_RESTORE_TARGET_ACTION": "pause"}, "without a target"),
        (
            {"WALSUP_RESTORE_FROM": "", "WALSUP_RESTORE_TARGET_NAME": "x"},
            "nothing is to be restored",
        ),
        ({"WALSUP_ARCHIVE": "", "WALSUP_ON_EMPTY_PGDATA": "restore"}, "needs WALSUP_ARCHIVE"),
        (
            {"RESTORE_AWS_ACCESS_KEY_ID": "k", "WALSUP_RESTORE_TARGET_ACTION": "pause"},
            "of the restore's source:",
        ),
    ],
)
def test_what_does_not_go_together(given: dict[str, str], says: str) -> None:
    """Each with the names."""
    with pytest.raises(SettingsError) as refused:
        load({**OWN, "WALSUP_RESTORE_FROM": "s3://source/b", **given})
    assert says in str(refused.value)


def test_faults_of_the_source_alone_are_left_to_who_needs_it() -> None:
    """A database that is there does not, and must start."""
    known = load({**OWN, "WALSUP_RESTORE_FROM": "s3://b/x", "RESTORE_AWS_ACCESS_KEY_ID": "k"})
    assert known.source is None
    (told,) = known.source_faults
    assert told.startswith("of the restore's source:")
    with pytest.raises(SettingsError) as refused:
        origin(known, own=False)
    assert "AWS_SECRET_ACCESS_KEY" in str(refused.value)
    assert origin(known, own=True) is known


def test_all_faults_of_a_restore_at_once() -> None:
    """Two targets, an unknown word, a future time, no zone."""
    with pytest.raises(SettingsError) as refused:
        load(
            {
                **OWN,
                "WALSUP_ON_EMPTY_PGDATA": "restor",
                "WALSUP_RESTORE_FROM": "s3://source/b",
                "WALSUP_RESTORE_TARGET_TIME": "2999-01-01 00:00:00Z",
                "WALSUP_RESTORE_TARGET_XID": "7",
                "WALSUP_RESTORE_TARGET_ACTION": "stop",
            }
        )
    for word in ("did you mean restore", "is in the future", "both set", "'stop' is not one of"):
        assert word in str(refused.value)

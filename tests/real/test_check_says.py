"""What `restore --check` says is true: what it did not look at it tells, what it names works."""

import json
import shutil
import subprocess
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path

import pytest

from dev.harness import Machine, S3Server, Walsup
from dev.harness.checks.witness import cli, owner, segments, sentinels, wait_no_lag, wait_protected
from dev.harness.faults.volume import Volume
from dev.harness.scenarios.clones import answer_of_clone, source_of
from walsup.postgres.wal import Segment, show_lsn

Make = Callable[..., Walsup]
Check = Callable[..., "subprocess.CompletedProcess[str]"]
SIZE = 1 << 24
ROWS = "select coalesce(string_agg(n::text, ' ' order by n), 'none') from t"


@dataclass(frozen=True, kw_only=True)
class Story:
    """An archive with rows 1 to 3, a restore point before the third, and a tablespace of 12 MB."""

    prefix: str
    xid: dict[int, str]
    space: Path


@pytest.fixture(scope="module")
def story(machine: Machine, engine: str, s3: S3Server) -> Iterator[Story]:
    """Written once; the base backup that counts is the second one."""
    env = {"WALSUP_ARCHIVE_TIMEOUT": "2s", "WALSUP_INITIAL_BACKUP": "off"}
    with Walsup(machine, s3=s3, engine=engine, env=env) as one:
        one.start()
        one.wait_accepts()
        space = one.layout.base / "space"
        space.mkdir(mode=0o700)
        machine.give_to_database(space)
        one.psql(f"create tablespace far location '{space}'")
        one.psql(
            "create table fat tablespace far as select repeat(md5(n::text), 2) t from"
            " generate_series(1, 130000) n"
        )
        assert one.stop() == 0
        one.environment["WALSUP_INITIAL_BACKUP"] = "on"
        one.start()
        wait_protected(one)
        one.psql("create table t (n int)")
        one.psql("select pg_switch_wal()")
        xid = {}
        for n in range(1, 4):
            if n == 3:
                one.psql("select pg_switch_wal()")
                one.psql("select pg_create_restore_point('before three')")
            xid[n] = one.psql(f"insert into t values ({n}) returning txid_current()")
        wait_no_lag(one)
        assert one.stop() == 0
        _empty(space)
        yield Story(prefix=one.prefix, xid=xid, space=space)


def _empty(space: Path) -> None:
    """Remove what a clone has left of the tablespace."""
    subprocess.run(["find", str(space), "-mindepth", "1", "-delete"], check=True)


@pytest.fixture
def check(walsup: Make, s3: S3Server, story: Story) -> Check:
    """Ask with these settings; `deep` as well."""

    def ask(*, deep: bool = False, **wanted: str) -> "subprocess.CompletedProcess[str]":
        one = walsup(s3=None, env=source_of(s3, story.prefix) | wanted)
        one.pgdata.mkdir(exist_ok=True, parents=True)
        return cli(one, "restore", "--check", *(["--deep"] if deep else []))

    return ask


def test_check_says_that_only_a_reading_finds_names_and_transactions(
    check: Check, story: Story
) -> None:
    """Without it nothing is promised; with it both answers are right."""
    plain = check()
    assert plain.returncode == 0, plain.stderr
    assert "--deep" in plain.stdout
    assert "the restore would work" in plain.stdout
    for setting, right, wrong in (
        ("WALSUP_RESTORE_TARGET_NAME", "before three", "before"),
        ("WALSUP_RESTORE_TARGET_XID", story.xid[2], "4000000"),
    ):
        for value in (right, wrong):
            asked = check(**{setting: value})
            assert asked.returncode == 0
            assert "the restore would work" not in asked.stdout
            assert "not known: whether" in asked.stdout
            assert "--deep" in asked.stdout
        found = check(deep=True, **{setting: right})
        assert found.returncode == 0, found.stderr
        assert f"{right} is in the archive, at 0/" in found.stdout
        assert "the last transaction ended at 20" in found.stdout
        assert "the restore would work" in found.stdout
        lost = check(deep=True, **{setting: wrong})
        assert lost.returncode == 74
        assert "there is no " in lost.stderr
        assert wrong in lost.stderr


def test_check_says_the_nearest_position_and_moment_that_are_reached(
    walsup: Make, s3: S3Server, check: Check, story: Story
) -> None:
    """Behind the last record; and each that a refusal names is reached when it is asked for."""
    last = Segment.parse(segments(s3, story.prefix)[-1], SIZE)
    nearest = ""
    for lsn in (last.end_lsn - 64, last.end_lsn, last.end_lsn + 64):
        refused = check(WALSUP_RESTORE_TARGET_LSN=show_lsn(lsn))
        assert refused.returncode == 74, refused.stdout
        nearest = refused.stderr.partition("that can be reached is ")[2].split()[0].rstrip(";")
    assert check(WALSUP_RESTORE_TARGET_LSN=nearest).returncode == 0
    wanted = {"WALSUP_RESTORE_TARGET_LSN": nearest}
    assert answer_of_clone(walsup, s3, story.prefix, ROWS, wanted) == "1 2 3"
    _empty(story.space)
    with _owner_says(s3, story, complete_until=0.0):
        now = time.strftime("%Y-%m-%d %H:%M:%S+00", time.gmtime())
        refused = check(WALSUP_RESTORE_TARGET_TIME=now)
        assert refused.returncode == 74
        moment = refused.stderr.partition("moment that can be reached is ")[2].split("\n")[0]
        wanted = {"WALSUP_RESTORE_TARGET_TIME": moment}
        found = check(**wanted)
        assert found.returncode == 0, found.stderr
        assert answer_of_clone(walsup, s3, story.prefix, ROWS, wanted) == "1 2 3"
    _empty(story.space)


def test_check_says_complete_until_by_the_buckets_time(
    s3: S3Server, check: Check, story: Story
) -> None:
    """The node that wrote the object may have had a clock that was ahead."""
    with _owner_says(s3, story, complete_until=time.time() + 3600):
        time.sleep(2)
        now = time.strftime("%Y-%m-%d %H:%M:%S+00", time.gmtime())
        refused = check(WALSUP_RESTORE_TARGET_TIME=now)
        assert refused.returncode == 74, refused.stdout
        moment = refused.stderr.partition("moment that can be reached is ")[2].split("\n")[0]
        assert check(WALSUP_RESTORE_TARGET_TIME=moment).returncode == 0


def test_check_says_what_is_empty_or_cut_off(s3: S3Server, check: Check, story: Story) -> None:
    """Parts of the base backup, a segment in the middle, and the last one."""
    wal = [key for key in s3.keys(f"{story.prefix}/wal_005/") if "history" not in key]
    wal = [key for key in wal if "backup" not in key]
    backup = sentinels(s3, story.prefix)[-1].rpartition("/")[2].partition("_backup_stop")[0]
    parts = s3.keys(f"{story.prefix}/basebackups_005/{backup}/tar_partitions/")
    largest = max(parts, key=lambda key: len(s3.get(key)))
    for key, size, said in (
        (largest, len(s3.get(largest)) // 2, "one is cut off"),
        (largest, 0, "(0 bytes)"),
        (wal[-2], 0, "has 0 bytes, too few for a segment"),
        (wal[-1], 30, "has 30 bytes, too few for a segment"),
    ):
        content = s3.get(key)
        s3.put(key, content[:size])
        refused = check()
        s3.put(key, content)
        assert refused.returncode == 74, (key, refused.stdout)
        assert said in refused.stderr


def test_check_says_which_volume_is_too_small_and_where_postgres_may_not_write(
    walsup: Make, machine: Machine, check: Check, story: Story
) -> None:
    """A tablespace's and pg_wal's own; and a check by root speaks for the database's user."""
    with Volume(machine, megabytes=9) as small:
        refused = check(POSTGRES_INITDB_WALDIR=str(small.archive / "wal"))
        assert refused.returncode == 72
        assert f"the file system of {small.archive / 'wal'} has" in refused.stderr
        subprocess.run(["mount", "--bind", str(small.archive), str(story.space)], check=True)
        try:
            refused = check()
        finally:
            subprocess.run(["umount", str(story.space)], check=True)
        assert refused.returncode == 72, refused.stdout
        assert f"the file system of {story.space} has" in refused.stderr
    closed = walsup(s3=None).layout.base / "closed"
    closed.mkdir(mode=0o755)
    refused = check(POSTGRES_INITDB_WALDIR=str(closed / "wal"))
    assert refused.returncode == 74
    assert f"{machine.db_user} cannot write to {closed}" in refused.stderr
    story.space.chmod(0o500)
    refused = check()
    story.space.chmod(0o700)
    assert f"cannot write to {story.space}" in refused.stderr
    # A run that begins as root gives PGDATA to the database's user, and nothing above it.
    (closed / "below").mkdir(mode=0o700)
    (closed / "below" / "data").mkdir(mode=0o700)
    refused = check(PGDATA=str(closed / "below" / "data"))
    assert refused.returncode == 74, refused.stdout
    assert f"{machine.db_user} cannot enter {closed / 'below'}" in refused.stderr
    (closed / "below").chmod(0o711)
    assert check(PGDATA=str(closed / "below" / "data")).returncode == 0


class _owner_says:  # noqa: N801 (a context like a function)
    """The owner object with another field, and back."""

    def __init__(self, s3: S3Server, story: Story, **fields: object) -> None:
        self._s3, self._key = s3, f"{story.prefix}/walsup/owner.json"
        self._before = s3.get(self._key)
        self._content = json.dumps(owner(s3, story.prefix) | fields).encode()

    def __enter__(self) -> None:
        self._s3.put(self._key, self._content)

    def __exit__(self, *_: object) -> None:
        self._s3.put(self._key, self._before)


def test_check_deep_says_where_the_wal_breaks_off(walsup: Make, s3: S3Server) -> None:
    """A segment with another one's bytes ends a replay; a record over several segments does not."""
    small = {"POSTGRES_INITDB_ARGS": "--wal-segsize=1", "WALSUP_ARCHIVE_TIMEOUT": "2s"}
    one = walsup(env=small).start()
    wait_protected(one)
    one.psql("create table t as select 1 n")
    target = one.psql("select pg_current_wal_lsn()")
    # Longer than two segments, so that one of them begins no record at all.
    one.psql("select pg_logical_emit_message(false, 'x', repeat('x', 2500000))")
    for n in range(2, 5):
        one.psql(f"insert into t values ({n}); select pg_switch_wal()")
    wait_no_lag(one)
    assert one.stop() == 0
    clone = walsup(s3=None, env=source_of(s3, one.prefix))
    clone.pgdata.mkdir(exist_ok=True, parents=True)
    whole = cli(clone, "restore", "--check", "--deep")
    assert whole.returncode == 0, whole.stderr
    assert "segments were read" in whole.stdout

    names = segments(s3, one.prefix)
    keys = {name: key for key in s3.keys(f"{one.prefix}/wal_005/") for name in names if name in key}
    kept = s3.get(keys[names[-3]])
    s3.put(keys[names[-3]], s3.get(keys[names[-4]]))
    try:
        broken = cli(clone, "restore", "--check", "--deep")
        assert broken.returncode == 74, broken.stdout
        assert f"cannot be replayed past {names[-3]}, after the record at 0/" in broken.stderr
        clone.environment["WALSUP_RESTORE_TARGET_LSN"] = target
        earlier = cli(clone, "restore", "--check", "--deep")
        assert earlier.returncode == 0, earlier.stderr
        assert f"the target is before {names[-3]}, which does not continue" in earlier.stdout
    finally:
        s3.put(keys[names[-3]], kept)


def test_check_examines_the_restore_that_a_start_makes(walsup: Make, s3: S3Server) -> None:
    """A repeated target, and a source beside an own archive: a start and the check agree."""
    env = {"WALSUP_ARCHIVE_TIMEOUT": "2s", "WALSUP_ON_EMPTY_PGDATA": "restore"}
    one = walsup(env=env).start()
    wait_protected(one)
    one.psql("create table t as select 1 n")
    kept = one.psql("select pg_current_wal_lsn()")
    one.psql("insert into t values (2); select pg_switch_wal()")
    wait_no_lag(one)
    assert one.stop() == 0
    shutil.rmtree(one.pgdata)
    one.environment["WALSUP_RESTORE_TARGET_LSN"] = kept
    one.start()
    wait_protected(one, timeout_s=120)
    assert one.stop() == 0
    shutil.rmtree(one.pgdata)
    repeated = cli(one, "restore", "--check")
    assert repeated.returncode == 74, repeated.stdout
    assert f"this archive was restored to lsn {kept} before" in repeated.stderr
    assert one.start().wait(timeout_s=60) == 74

    del one.environment["WALSUP_RESTORE_TARGET_LSN"]
    one.environment |= source_of(s3, f"{one.prefix}-another")
    own = cli(one, "restore", "--check")
    assert own.returncode == 0, own.stderr
    assert f"source    s3://{s3.bucket}/{one.prefix} (this database's own archive: " in own.stdout
    one.environment["WALSUP_ON_EMPTY_PGDATA"] = "refuse"
    neither = cli(one, "restore", "--check")
    assert neither.returncode == 71, neither.stdout
    assert "nothing would be restored" in neither.stderr
    assert one.start().wait(timeout_s=60) == 71

    clone = walsup(env=source_of(s3, one.prefix))
    source = cli(clone, "restore", "--check")
    assert source.returncode == 0, source.stderr
    assert f"source    s3://{s3.bucket}/{one.prefix} (WALSUP_RESTORE_FROM: " in source.stdout

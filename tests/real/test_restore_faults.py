"""A restore through faults: never a promotion before the end, never half a directory (S14, S16)."""

import json
import shutil
import uuid
from collections.abc import Callable, Iterator
from dataclasses import dataclass

import pytest

from dev.harness import Machine, S3Server, Walsup, wait_until
from dev.harness.checks.witness import (
    Ledger,
    segments,
    sentinels,
    status,
    verdict,
    wait_no_lag,
    wait_protected,
)
from dev.harness.faults.http_fault_proxy import PickyProxy
from dev.harness.scenarios.clones import source_of

Make = Callable[..., Walsup]
ROWS = "select count(*) || '|' || max(n) from ledger"


@dataclass(frozen=True, kw_only=True)
class Archive:
    """An archive with a ledger of so many rows, in several segments."""

    prefix: str
    rows: int

    @property
    def whole(self) -> str:
        """What `ROWS` gives of a restore to the end."""
        return f"{self.rows}|{self.rows}"


@pytest.fixture(scope="module")
def archive(machine: Machine, s3: S3Server) -> Iterator[Archive]:
    """Written once, stopped cleanly."""
    with Walsup(machine, s3=s3, env={"WALSUP_ARCHIVE_TIMEOUT": "2s"}) as one:
        one.start()
        wait_protected(one)
        with Ledger(one) as ledger:
            for rows in (20, 40, 60):
                until = rows
                one.wait_for(lambda: ledger.acknowledged > until, "rows")  # noqa: B023 (waited for)
                one.psql("select pg_switch_wal()")
        wait_no_lag(one)
        rows = ledger.rows()
        assert rows >= ledger.acknowledged
        assert one.stop() == 0
        yield Archive(prefix=one.prefix, rows=rows)


def copied(s3: S3Server, archive: Archive, name: str) -> Archive:
    """A copy of the archive in the bucket, to be damaged."""
    prefix = f"{archive.prefix}-{name}-{uuid.uuid4().hex[:8]}"  # each engine damages its own
    for key in s3.keys(f"{archive.prefix}/"):
        s3.put(key.replace(archive.prefix, prefix, 1), s3.get(key))
    return Archive(prefix=prefix, rows=archive.rows)


def restored_whole(clone: Walsup, archive: Archive, *, timeout_s: float = 150) -> None:
    """Wait until it accepts: then everything must be there."""
    clone.wait_accepts(timeout_s=timeout_s)
    assert clone.psql(ROWS) == archive.whole


KINDS = ("403", "404", "503", "cut", "refused", "wrong bytes")


# WAL-G waits 1, 2, 4, 5 minutes between its own tries of a part: all in turn take half an hour.
OFTEN = {"walrus": KINDS, "wal-g": ("503", "cut", "refused")}


@pytest.mark.timeout(900)
@pytest.mark.rule("gap-is-not-the-end")
def test_requests_fail(walsup: Make, s3: S3Server, archive: Archive, engine: str) -> None:
    """Every request of a restore, with several faults in turn: it goes on, to the very end."""
    _each_fails(walsup, s3, archive, OFTEN[engine])


@pytest.mark.soak
@pytest.mark.timeout(3600)
@pytest.mark.parametrize("kinds", [KINDS, *((kind,) for kind in (*KINDS, "slow"))])
@pytest.mark.rule("gap-is-not-the-end")
def test_each_request_fails(
    walsup: Make, s3: S3Server, archive: Archive, kinds: tuple[str, ...]
) -> None:
    """With all kinds of faults in turn, and with each alone."""
    _each_fails(walsup, s3, archive, kinds)


def _each_fails(walsup: Make, s3: S3Server, archive: Archive, kinds: tuple[str, ...]) -> None:
    with PickyProxy(s3.port) as proxy:
        clone = walsup(s3=None, env=source_of(s3, archive.prefix, endpoint=proxy.endpoint))
        proxy.spoil(*kinds)
        for _ in range(len(segments(s3, archive.prefix))):
            clone.start()
            clone.wait_for(
                lambda: clone.accepts() or not clone.is_running, "an end", timeout_s=3000
            )
            if clone.is_running:
                break
            # A segment whose damage only postgres has noticed: it says so, and is fetched again.
            assert "wrong bytes" in kinds
            assert " is damaged" in verdict(clone)
        restored_whole(clone, archive)
        assert proxy.spoilt


@pytest.mark.rule("gap-is-not-the-end")
def test_what_stays_refused_is_waited_for(walsup: Make, s3: S3Server, archive: Archive) -> None:
    """WAL-RUS's daemon calls a 403 "absent": the bucket is asked, and nothing is promoted."""
    with PickyProxy(s3.port) as proxy:
        clone = walsup(s3=None, env=source_of(s3, archive.prefix, endpoint=proxy.endpoint))
        third = segments(s3, archive.prefix)[2]
        proxy.spoil("403", times=1_000_000, only=lambda what: third in what)
        clone.start()

        def waits() -> dict[str, str] | None:
            fault = status(clone).get("faults", {}).get("restore")
            found = fault and fault["kind"] == "no rights" and third in fault["problem"]
            return fault if found else None

        fault = clone.wait_for(waits, "the fault is shown", timeout_s=90)
        assert fault["kind"] == "no rights"
        assert "s3:GetObject" in fault["problem"]
        assert not clone.accepts()
        assert clone.http("/livez")[0] == 200
        proxy.spoil()
        restored_whole(clone, archive)


@pytest.mark.rule("gap-is-not-the-end")
def test_a_hole_found_beforehand_is_refused(walsup: Make, s3: S3Server, archive: Archive) -> None:
    """Named; accepted by name only, and then the restore ends before it."""
    damaged = copied(s3, archive, "hole")
    lost = segments(s3, damaged.prefix)[-2]
    (key,) = [
        key
        for key in s3.keys(f"{damaged.prefix}/wal_005/")
        if f"{lost}." in key and "backup" not in key
    ]
    s3.delete(key)
    env = source_of(s3, damaged.prefix)
    clone = walsup(s3=None, env=env).start()
    assert clone.wait() == 74
    assert lost in verdict(clone)
    accepting = walsup(s3=None, env={**env, "WALSUP_RESTORE_ACCEPT_HOLE": lost}).start()
    accepting.wait_accepts(timeout_s=90)
    count, highest = accepting.psql(ROWS).split("|")
    assert count == highest
    assert int(count) < archive.rows


def test_a_backup_that_is_not_whole_is_passed_over(
    walsup: Make, s3: S3Server, archive: Archive
) -> None:
    """A part that is gone, or WAL of its own that never arrived: the one before it serves."""
    damaged = copied(s3, archive, "half")
    (whole,) = sentinels(s3, damaged.prefix)
    for number, fields in ((5, {"LSN": 5 << 24}), (4, {"LSN": 4 << 24, "FinishLSN": 1 << 40})):
        name = f"base_0000000100000000{number:08X}"
        sentinel = json.loads(s3.get(whole)) | fields
        folder = f"{damaged.prefix}/basebackups_005"
        s3.put(f"{folder}/{name}_backup_stop_sentinel.json", json.dumps(sentinel).encode())
        for key in s3.keys(whole.removesuffix("_backup_stop_sentinel.json") + "/"):
            place = f"{folder}/{name}/{key.partition('/basebackups_005/')[2].partition('/')[2]}"
            if number == 4 or "part_001" not in key:
                s3.put(place, s3.get(key))
    clone = walsup(s3=None, env=source_of(s3, damaged.prefix)).start()
    restored_whole(clone, archive)
    told = " ".join(event["problem"] for event in clone.events("restore.warning"))
    assert "part_001.tar" in told
    assert "of the WAL that it needs" in told


@pytest.mark.rule("resumable-recovery")
def test_a_recovery_that_ended_goes_on_in_its_directory(
    walsup: Make, s3: S3Server, archive: Archive
) -> None:
    """A hole made behind the pre-flight's back is never the end; brought back, it goes on there."""
    damaged = copied(s3, archive, "hole-on-the-way")
    lost = segments(s3, damaged.prefix)[3]
    (key,) = [
        key
        for key in s3.keys(f"{damaged.prefix}/wal_005/")
        if f"{lost}." in key and "backup" not in key
    ]
    kept = s3.get(key)
    with PickyProxy(s3.port) as proxy:
        clone = walsup(s3=None, env=source_of(s3, damaged.prefix, endpoint=proxy.endpoint))
        second = segments(s3, damaged.prefix)[2]
        # Held here until the segment behind it has gone.
        proxy.spoil("403", times=1_000_000, only=lambda what: second in what)
        clone.start()
        clone.wait_event("postgres.started", timeout_s=90)
        s3.delete(key)
        proxy.spoil()
        assert clone.wait(timeout_s=120) == 74
    assert lost in verdict(clone)
    assert "the archive has a gap" in verdict(clone)
    clone.environment |= source_of(s3, damaged.prefix)
    signal, fetched = clone.pgdata / "recovery.signal", clone.pgdata / "PG_VERSION"
    copy = fetched.stat().st_ino
    # Of a segment that no engine asks for: it would clear away its own.
    leftover = clone.pgdata / "pg_wal" / ".wal-g" / "prefetch" / "running" / f"{lost[:8]}{'F' * 16}"
    for _ in range(2):
        # Half a file that a killed reader has left would be taken for a whole one.
        leftover.parent.mkdir(parents=True, exist_ok=True)
        leftover.write_bytes(b"half")
        assert signal.exists()
        assert clone.start().wait(timeout_s=120) == 74
        assert lost in verdict(clone)
        assert not leftover.exists()
    s3.put(key, kept)
    clone.start()
    restored_whole(clone, archive)
    assert clone.events("restore.resumed")
    assert not clone.events("restore.began")
    assert fetched.stat().st_ino == copy
    clone.wait_for(lambda: not leftover.parents[2].exists(), "no .wal-g is left")


@pytest.mark.parametrize(
    "how", ["another segment's", pytest.param("cut off", marks=pytest.mark.soak)]
)
@pytest.mark.rule("gap-is-not-the-end")
def test_a_segment_with_other_bytes_is_never_the_end(
    walsup: Make, s3: S3Server, archive: Archive, how: str
) -> None:
    """postgres stops reading at the first bad record, and would call that the end."""
    damaged = copied(s3, archive, how.split(maxsplit=1)[0].strip("'"))
    names = segments(s3, damaged.prefix)
    keys = {
        name: key
        for name in names
        for key in s3.keys(f"{damaged.prefix}/wal_005/{name}")
        if "backup" not in key
    }
    victim = names[-2]
    right = s3.get(keys[victim])
    wrong = s3.get(keys[names[1]]) if how != "cut off" else right[: len(right) // 2]
    s3.put(keys[victim], wrong)
    clone = walsup(s3=None, env=source_of(s3, damaged.prefix)).start()
    assert clone.wait(timeout_s=150) == 74
    assert (
        "timeline" not in verdict(clone)
        or victim in verdict(clone)
        or " is damaged" in verdict(clone)
    )
    s3.put(keys[victim], right)
    clone.start()
    restored_whole(clone, archive)


@pytest.mark.rule("empty-means-listed")
def test_an_archive_that_cannot_be_asked_is_waited_for(
    walsup: Make, s3: S3Server, archive: Archive
) -> None:
    """Neither initdb nor an end: probes answer, and it begins when the bucket does."""
    with PickyProxy(s3.port) as proxy:
        proxy.spoil("503", times=1_000_000)
        clone = walsup(s3=None, env=source_of(s3, archive.prefix, endpoint=proxy.endpoint)).start()
        clone.wait_for(
            lambda: "waiting for the archive" in clone.state().get("detail", ""), "it waits"
        )
        clone.wait_for(lambda: clone.http("/startupz")[0] == 200, "the startup probe")
        wait_until(lambda: proxy.spoilt.total() > 3, "it has asked again")
        assert not [p for p in clone.pgdata.iterdir() if not p.name.startswith(".walsup-")]
        proxy.spoil()
        restored_whole(clone, archive)


@pytest.mark.rule("stop-during-start")
def test_a_restore_that_is_stopped_goes_on(walsup: Make, s3: S3Server, archive: Archive) -> None:
    """TERM while recovering: exit 0 and no database; the next start ends it."""
    with PickyProxy(s3.port) as proxy:
        clone = walsup(s3=None, env=source_of(s3, archive.prefix, endpoint=proxy.endpoint))
        third = segments(s3, archive.prefix)[2]
        proxy.spoil("503", times=1_000_000, only=lambda what: third in what)
        clone.start()
        clone.wait_event("postgres.started", timeout_s=90)
        clone.wait_for(lambda: proxy.spoilt, "it waits for a segment", timeout_s=60)
        assert clone.stop() == 0
        proxy.spoil()
        clone.start()
        assert clone.wait_event("restore.resumed")
        restored_whole(clone, archive)
    shutil.rmtree(clone.pgdata)

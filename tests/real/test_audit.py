"""What was verified once is looked at again: an archive that loses or changes objects is told."""

import contextlib
import os
from collections.abc import Callable, Iterable
from pathlib import Path
from signal import SIGCONT, SIGKILL, SIGSTOP, SIGTERM
from typing import Any

import pytest

from dev.harness import Machine, S3Server, Volume, Walsup
from dev.harness.checks.witness import (
    segments,
    sentinels,
    status,
    verdict,
    wait_fault,
    wait_no_lag,
    wait_protected,
)
from dev.harness.scenarios.fleet import Node
from dev.harness.scenarios.restore_by_hand import restored
from walsup.postgres.wal import parse_lsn

Make = Callable[..., Walsup]
_SHORT = {"WALSUP_LEASE": "1s", "WALSUP_ARCHIVE_TIMEOUT": "2s"}
_SEGMENT_BYTES = 16 << 20
_SMALL = ["-c", "min_wal_size=32MB", "-c", "max_wal_size=32MB"]


def _write(one: Walsup, segments_wanted: int, table: str = "t") -> None:
    """Fill so many segments, a row in each, and wait until they are verified in the bucket."""
    one.psql(f"create table if not exists {table} (n int)")
    for number in range(segments_wanted):
        one.psql(f"insert into {table} values ({number})")
        one.psql("select pg_switch_wal()")
    lsn = parse_lsn(one.psql("select pg_current_wal_insert_lsn()"))

    def look() -> bool:
        return parse_lsn(status(one)["lag"]["proven_lsn"]) >= lsn - lsn % _SEGMENT_BYTES

    one.wait_for(look, "they are verified", timeout_s=60)


def _key(one: Walsup, s3: S3Server, name: str) -> str:
    """The key of a segment."""
    keys = s3.keys(f"{one.prefix}/wal_005/{name}")
    (key,) = [key for key in keys if ".backup" not in key]
    return key


def _forget(one: Walsup, names: Iterable[str]) -> None:
    """Take segments out of pg_wal, as a checkpoint does in time."""
    one.psql("checkpoint")
    for name in names:
        (one.pgdata / "pg_wal" / name).unlink(missing_ok=True)


def _wait_appeared(one: Walsup, subject: str) -> dict[str, Any]:
    """The fault as it was logged: a base backup may have covered it a second later."""

    def look() -> dict[str, Any] | None:
        shown = [e for e in one.events("fault.appeared") if e["subject"] == subject]
        return shown[0] if shown else None

    return one.wait_for(look, f"a fault of the {subject}", timeout_s=60)


def _wait_red(one: Walsup) -> dict[str, Any]:
    def look() -> dict[str, Any] | None:
        seen = status(one)
        return seen if seen and not seen["protected"] else None

    return one.wait_for(look, "it is not protected any more", timeout_s=60)


def _wait_backup(one: Walsup, s3: S3Server, count: int) -> None:
    one.wait_for(lambda: len(sentinels(s3, one.prefix)) >= count, "a base backup", timeout_s=60)
    wait_protected(one)


def test_a_verified_segment_is_looked_at_again_and_pushed_again(walsup: Make, s3: S3Server) -> None:
    """Emptied, replaced by garbage, by another's bytes, deleted: what pg_wal has comes back."""
    one = walsup(env=_SHORT).start()
    wait_protected(one)
    _write(one, 6)
    names = segments(s3, one.prefix)[-6:]
    keys = [_key(one, s3, name) for name in names]
    before = [s3.get(key) for key in keys]
    s3.put(keys[0], b"")
    s3.put(keys[1], b"garbage" * 1000)
    s3.put(keys[2], before[3])
    s3.delete(keys[4])
    assert _wait_appeared(one, "audit")["kind"] == "damaged"
    wait_protected(one)
    assert [s3.get(key) for key in keys] == before
    assert status(one)["holes"] == []
    damaged = {event["name"] for event in one.events("segment.damaged")}
    assert damaged == set(names[:3])
    assert len(sentinels(s3, one.prefix)) == 1


def test_a_stop_pushes_again_what_was_damaged_before_it(walsup: Make, s3: S3Server) -> None:
    """What pg_wal still has is whole again before the verdict; what it has not is named by it."""
    one = walsup(args=["-c", "wal_keep_size=512MB"], env=_SHORT).start()
    wait_protected(one)
    _write(one, 4)
    names = segments(s3, one.prefix)[-3:]
    keys = [_key(one, s3, name) for name in names]
    before = [s3.get(key) for key in keys]
    agent = one.pid_of("agent")
    os.kill(agent, SIGSTOP)
    s3.put(keys[0], b"garbage" * 1000)
    s3.delete(keys[1])
    one.signal(SIGTERM)
    os.kill(agent, SIGCONT)
    assert one.wait() == 0
    assert "is in the bucket: yes" in verdict(one)
    assert [s3.get(key) for key in keys] == before
    assert {e["name"] for e in one.events("segment.pushed_again")} == set(names[:2])
    one.start()
    wait_protected(one)
    agent = one.pid_of("agent")
    os.kill(agent, SIGSTOP)
    (one.pgdata / "pg_wal" / names[2]).unlink()
    s3.put(keys[2], b"garbage" * 1000)
    one.signal(SIGTERM)
    os.kill(agent, SIGCONT)
    assert one.wait() == 0
    assert f"is in the bucket: no: {names[2]} is lost" in verdict(one)


def test_a_lost_segment_is_a_gap_that_the_archive_remembers(walsup: Make, s3: S3Server) -> None:
    """Damaged and gone from pg_wal, then all but the newest; the data directory may forget it."""
    one = walsup(args=_SMALL, env=_SHORT).start()
    wait_protected(one)
    _write(one, 5)
    lost = segments(s3, one.prefix)[-4]
    _forget(one, segments(s3, one.prefix))
    s3.put(_key(one, s3, lost), s3.get(_key(one, s3, segments(s3, one.prefix)[-3])))
    assert lost in _wait_appeared(one, "hole")["problem"]
    _wait_backup(one, s3, 2)
    (hole,) = status(one)["holes"]
    assert (hole["first"], hole["last"]) == (lost, lost)
    assert hole["covered_by"] in sentinels(s3, one.prefix)[1]
    assert one.stop() == 0
    assert "is in the bucket: yes" in verdict(one)
    (one.pgdata / ".walsup-audit").unlink()
    one.start()
    assert status(wait_started(one))["holes"] == [hole]
    _write(one, 2)
    names = segments(s3, one.prefix)
    _forget(one, names)
    for name in names[:-1]:
        s3.delete(_key(one, s3, name))
    problem = _wait_appeared(one, "hole")["problem"]
    assert names[-2] in problem
    _wait_backup(one, s3, 3)
    assert status(one)["holes"] == []  # nothing before it can be restored any more
    assert (
        restored(one, one.engine, one.pgdata.parent / "restored", "select count(*) from t") == "7"
    )


def wait_started(one: Walsup) -> Walsup:
    """Wait until this start is protected."""
    wait_protected(one)
    return one


def test_a_base_backup_is_watched_with_all_its_parts(walsup: Make, s3: S3Server) -> None:
    """A part cut off, one deleted, the sentinel, everything but walsup/; and between two runs."""
    one = walsup(args=_SMALL, env=_SHORT).start()
    wait_protected(one)

    def parts() -> list[str]:
        newest = sentinels(s3, one.prefix)[-1].removesuffix("_backup_stop_sentinel.json")
        return s3.keys(f"{newest}/tar_partitions/")

    s3.put(parts()[0], s3.get(parts()[0])[:-100])
    assert _wait_appeared(one, "backup")["kind"] == "base backup damaged"
    _wait_backup(one, s3, 2)
    s3.delete(sentinels(s3, one.prefix)[-1])
    s3.delete(sentinels(s3, one.prefix)[-1])
    _wait_red(one)
    _wait_backup(one, s3, 1)
    assert one.stop() == 0
    s3.delete(parts()[0])
    (broken,) = sentinels(s3, one.prefix)
    one.start()
    wait_protected(one)
    assert len(sentinels(s3, one.prefix)) == 2
    # Nothing of this run's own look came before its WAL and parts were seen.
    assert [e for e in one.events("backup.proven") if e["name"] in broken] == []
    for folder in ("basebackups_005", "wal_005"):
        for key in s3.keys(f"{one.prefix}/{folder}/"):
            s3.delete(key)
    _wait_red(one)
    _wait_backup(one, s3, 1)


def test_the_newest_segments_deleted_between_two_runs_are_a_gap(walsup: Make, s3: S3Server) -> None:
    """And an archive that goes back in time between two runs begins again with a base backup."""
    one = walsup(args=_SMALL, env=_SHORT).start()
    wait_protected(one)
    _write(one, 3)
    assert one.stop() == 0
    earlier = {key: s3.get(key) for key in s3.keys(f"{one.prefix}/")}
    names = segments(s3, one.prefix)[-2:]
    for name in names:
        s3.delete(_key(one, s3, name))
        (one.pgdata / "pg_wal" / name).unlink(missing_ok=True)
    one.start()
    wait_protected(one)
    (hole,) = status(one)["holes"]
    assert (hole["first"], hole["last"]) == (names[0], names[1])
    assert len(sentinels(s3, one.prefix)) == 2
    assert one.stop() == 0
    one.start()
    wait_protected(one)
    assert one.stop() == 0
    for key in s3.keys(f"{one.prefix}/"):
        s3.delete(key)
    for key, content in earlier.items():
        s3.put(key, content)
    one.start()
    wait_protected(one)
    assert one.events("archive.went_back")
    assert len(sentinels(s3, one.prefix)) == 2
    _write(one, 1)
    assert one.stop() == 0


def test_a_foreign_timeline_is_an_active_fault_while_it_lasts(walsup: Make, s3: S3Server) -> None:
    """A clone's history file and segments; the verdict names it, and it goes with the objects."""
    one = walsup(env=_SHORT).start()
    wait_protected(one)
    _write(one, 1)
    name = segments(s3, one.prefix)[-1]
    foreign = _key(one, s3, name).replace(name, f"00000002{name[8:]}")
    s3.put(f"{one.prefix}/wal_005/00000002.history", b"1\t0/5000000\tno recovery target\n")
    s3.put(foreign, s3.get(_key(one, s3, name)))
    fault = wait_fault(one, "timeline", timeout_s=60)
    assert fault["kind"] == "foreign timeline"
    assert "timeline 2 since 2" in fault["problem"]
    assert one.stop() == 0
    assert "in the bucket: no" in verdict(one)
    assert "timeline 2" in verdict(one)
    one.start()
    assert wait_fault(one, "timeline", timeout_s=60)["problem"] == fault["problem"]
    for key in (f"{one.prefix}/wal_005/00000002.history", foreign):
        s3.delete(key)
    wait_protected(one)


def test_an_archive_in_a_directory_is_audited_too(walsup: Make, machine: Machine) -> None:
    """A segment emptied, and a part of the base backup removed."""
    with Volume(machine, megabytes=400) as volume:
        _damage_directory(walsup(s3=None, env=_SHORT), volume.archive)


def _damage_directory(one: Walsup, archive: Path) -> None:
    one.environment["WALSUP_ARCHIVE"] = f"file://{archive}"
    one.start()
    wait_protected(one)
    _write(one, 3)
    names = sorted(p.name for p in (archive / "wal_005").glob("0*") if ".backup" not in p.name)
    victim = archive / "wal_005" / names[-2]
    before = victim.read_bytes()
    victim.write_bytes(b"")
    _wait_red(one)
    wait_protected(one)
    assert victim.read_bytes() == before
    next((archive / "basebackups_005").glob("*/tar_partitions/part_*")).unlink()
    assert _wait_appeared(one, "backup")["kind"] == "base backup damaged"
    wait_protected(one)
    one.close()


@pytest.mark.soak
def test_an_audit_whose_process_is_killed_is_reported_and_ends_nothing(walsup: Make) -> None:
    """As the kernel does that has no memory left: since when nothing was audited, and why."""
    one = walsup(env=_SHORT).start()
    wait_protected(one)
    agent = one.pid_of("agent")

    def look() -> dict[str, Any] | None:
        for member in one.members():
            if "walsup.archive.listing_check.worker" in member.argv:
                with contextlib.suppress(ProcessLookupError):
                    os.kill(member.outer_pid, SIGKILL)
        found: dict[str, Any] | None = status(one).get("faults", {}).get("audit")
        return found

    fault = one.wait_for(look, "it is a fault", timeout_s=180)
    assert fault["kind"] == "out of memory"
    assert "the archive has not been audited since 2" in fault["problem"]
    assert not status(one)["protected"]
    wait_protected(one, timeout_s=90)
    assert one.pid_of("agent") == agent


def test_nothing_is_found_where_nothing_is_wrong(walsup: Make) -> None:
    """Bursts, a crash, restarts, a promotion's timeline, an agent that dies: no false alarm."""
    one = walsup(env=_SHORT).start()
    wait_protected(one)
    one.tools.pgbench_init(one.address, scale=2)
    load = one.tools.pgbench(one.address, duration_s=15, clients=4)
    one.kill("agent")
    assert load.result().is_clean
    wait_no_lag(one)
    wait_protected(one)
    events = one.events()
    one.kill_tree()
    one.start()
    wait_protected(one)
    _write(one, 3)
    events += one.events()
    assert one.stop() == 0
    assert "is in the bucket: yes" in verdict(one)
    node = Node(one, "one")
    assert node.branch()
    one.start()
    wait_protected(one)
    _write(one, 3)
    events += one.events()
    assert one.stop() == 0
    assert "is in the bucket: yes" in verdict(one)
    odd = ("segment.damaged", "segment.pushed_again", "gap.found", "backup.unfit", "audit.failed")
    assert [event for event in events if event["event"] in odd] == []
    subjects = {event["subject"] for event in events if event["event"] == "fault.appeared"}
    assert not subjects & {"audit", "timeline", "hole", "archive"}

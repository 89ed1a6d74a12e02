"""One writer (S2 to S6c): lease, takeover, fencing, adopt, a bucket that is ahead of the disk."""

import contextlib
import os
import shutil
from collections.abc import Callable
from signal import SIGCONT, SIGSTOP
from typing import Any

import pytest

from dev.harness import LooseS3, Machine, S3Server, Walsup
from dev.harness.checks.witness import (
    cli,
    owner,
    segments,
    sentinels,
    status,
    verdict,
    wait_fault,
    wait_no_lag,
    wait_protected,
)
from dev.harness.scenarios.fleet import Node

Make = Callable[..., Walsup]

SHORT = {"WALSUP_LEASE": "1s", "WALSUP_ARCHIVE_TIMEOUT": "2s"}


def _copy(walsup: Make, one: Walsup, *, prefix: str | None = None) -> Walsup:
    """Another container with a copy of the volume, instance and memory included."""
    other = walsup(prefix=prefix or one.prefix, env=SHORT)
    shutil.rmtree(other.pgdata, ignore_errors=True)
    shutil.copytree(one.pgdata, other.pgdata, symlinks=True)
    for path in [other.pgdata, *other.pgdata.rglob("*")]:
        one.machine.give_to_database(path)
    return other


def _stopped(walsup: Make) -> Walsup:
    """A protected database that has been stopped."""
    one = walsup(env=SHORT).start()
    wait_protected(one)
    assert one.stop() == 0
    return one


def _write(one: Walsup, rows: int = 1) -> None:
    one.psql(
        f"create table if not exists t (n int); insert into t select generate_series(1,{rows})"
    )
    one.psql("select pg_switch_wal()")


def _boot(s3: S3Server, one: Walsup) -> str:
    return str(owner(s3, one.prefix)["boot"])


@pytest.mark.rule("one-owner")
def test_a_killed_start_is_followed_at_once_on_its_own_directory(
    walsup: Make, s3: S3Server
) -> None:
    """We have the lock that it had: no lease need be waited for, however long it is."""
    one = walsup(env={"WALSUP_LEASE": "10m"}).start()
    wait_protected(one)
    one.kill_tree()
    assert owner(s3, one.prefix)["state"] == "running"
    one.start()
    wait_protected(one)
    assert (owner(s3, one.prefix)["epoch"], len(sentinels(s3, one.prefix))) == (2, 1)


@pytest.mark.rule("one-owner")
def test_a_copy_waits_for_the_holder_and_takes_over_when_it_has_died(
    walsup: Make, s3: S3Server
) -> None:
    """Kept out while the lease is renewed; let in after 4 leases of silence."""
    one = _stopped(walsup)
    copy = _copy(walsup, one)
    one.start()
    wait_protected(one)
    copy.start()
    fault = wait_fault(copy, "gate")
    assert fault["kind"] == "not the owner"
    assert "holds the archive" in fault["problem"]
    before = owner(s3, one.prefix)
    _write(one)
    one.wait_for(
        lambda: owner(s3, one.prefix)["lsn"] > before["lsn"], "the lease carries what is proven"
    )
    assert _boot(s3, one) == before["boot"]
    one.kill_tree()
    # What `one` has archived since the copy was made is ahead of the copy's disk.
    copy.wait_for(
        lambda: "bucket ahead" in status(copy).get("gate", {}).get("reason", ""),
        "S5 keeps it out",
        timeout_s=40,
    )
    assert not copy.state().get("engine_pid")
    assert copy.accepts()


@pytest.mark.rule("one-owner", "fencing")
def test_a_holder_that_was_paused_finds_its_lease_gone_and_writes_nothing(
    walsup: Make, s3: S3Server
) -> None:
    """Everything of it stands still for longer than 4 leases; a copy has taken over meanwhile."""
    one = _stopped(walsup)
    copy = _copy(walsup, one)
    for each in (one, copy):
        # Else the first would archive something at once, and the copy lack it (S5).
        each.environment["WALSUP_ARCHIVE_TIMEOUT"] = "1h"
    one.start()
    wait_protected(one)
    holder = Node(one, "holder")
    holder.pause()
    copy.start()
    copy.wait_for(lambda: status(copy).get("gate", {}).get("state") == "open", "taken over")
    _write(copy)
    wait_no_lag(copy)
    taken = s3.objects(f"{one.prefix}/wal_005/")
    holder.resume(init_last=True)
    one.psql("select pg_switch_wal()")
    one.wait_for(
        lambda: "not the owner" in status(one).get("gate", {}).get("reason", ""), "it knows"
    )
    one.wait_for(lambda: not one.state().get("engine_pid"), "its daemon has gone")
    assert owner(s3, one.prefix)["boot"] == _boot(s3, copy)
    after = s3.objects(f"{one.prefix}/wal_005/")
    assert {key: after.get(key) for key in taken} == taken
    assert one.stop() == 0
    assert "is in the bucket: no" in verdict(one)
    wait_protected(copy)
    assert copy.stop() == 0
    assert "is in the bucket: yes" in verdict(copy)


@pytest.mark.rule("one-owner", "fencing")
def test_without_renewal_the_gate_shuts_though_the_agent_hangs(walsup: Make, s3: S3Server) -> None:
    """PID 1 ends the daemon when the lease is over; archive_command looks for itself."""
    one = walsup(env=SHORT).start()
    wait_protected(one)
    agent = one.pid_of("agent")
    os.kill(agent, SIGSTOP)
    one.wait_event("engine.lease_over")
    before = segments(s3, one.prefix)
    _write(one)
    one.wait_for(lambda: "archive command failed" in one.log(), "a push was refused")
    assert segments(s3, one.prefix) == before
    with contextlib.suppress(ProcessLookupError):  # PID 1 kills one that was silent at the end
        os.kill(agent, SIGCONT)
    one.wait_for(lambda: len(segments(s3, one.prefix)) > len(before), "it is archived after all")
    wait_protected(one)


@pytest.mark.rule("ownership")
def test_a_copy_with_a_name_of_its_own_is_let_in_by_a_person(walsup: Make, s3: S3Server) -> None:
    """`walsup adopt` says whose the archive is, and a full backup follows."""
    one = _stopped(walsup)
    copy = _copy(walsup, one)
    (copy.pgdata / ".walsup-instance").unlink()
    copy.start()
    fault = wait_fault(copy, "gate")
    assert "walsup adopt" in fault["remedy"]
    before = owner(s3, one.prefix)
    told = cli(copy, "adopt", "--yes")
    assert told.returncode == 0, told.stderr
    assert str(before["instance"]) in told.stdout
    wait_protected(copy)
    found = owner(s3, copy.prefix)
    assert (found["epoch"], len(sentinels(s3, copy.prefix))) == (2, 2)
    assert copy.stop() == 0
    # The one that was adopted from has no way back by itself, and is told so.
    one.start()
    assert "walsup adopt" in wait_fault(one, "gate")["remedy"]
    refused = cli(copy, "adopt", "--yes")
    assert refused.returncode == 74
    assert "belongs to this data directory already" in refused.stderr


@pytest.mark.rule("divergence")
def test_an_earlier_snapshot_is_kept_out_of_what_it_has_archived(
    walsup: Make, s3: S3Server
) -> None:
    """It starts, runs, and uploads nothing over the WAL that it has forgotten."""
    one = _stopped(walsup)
    earlier = _copy(walsup, one)
    one.start()
    wait_protected(one)
    _write(one, 1000)
    wait_no_lag(one)
    assert one.stop() == 0
    before = s3.objects(f"{one.prefix}/")
    earlier.start()
    fault = wait_fault(earlier, "gate")
    assert fault["kind"] == "bucket ahead"
    assert "new prefix" in fault["remedy"]
    _write(earlier)
    _write(earlier)
    assert not status(earlier)["protected"]
    assert earlier.stop() == 0
    assert s3.objects(f"{one.prefix}/") == before
    # The way out: a prefix of its own, with a backup of its own.
    own = _copy(walsup, earlier, prefix=f"{one.prefix}-own").start()
    wait_protected(own)


@pytest.mark.rule("divergence")
def test_the_same_names_with_other_bytes_are_found(walsup: Make, s3: S3Server) -> None:
    """Two copies have gone their own ways; the disk is ahead, and yet not the archive's."""
    one = _stopped(walsup)
    other = _copy(walsup, one)
    other.environment.pop("WALSUP_ARCHIVE")
    other.args = ["-c", "wal_keep_size=256MB"]
    other.start()
    other.wait_accepts()
    for _ in range(4):
        _write(other)
    assert other.stop() == 0
    one.start()
    wait_protected(one)
    _write(one)
    wait_no_lag(one)
    assert one.stop() == 0
    before = s3.objects(f"{one.prefix}/")
    other.environment["WALSUP_ARCHIVE"] = one.environment["WALSUP_ARCHIVE"]
    other.start()
    fault = wait_fault(other, "gate")
    assert fault["kind"] == "bucket ahead"
    assert "other bytes" in fault["problem"]
    assert other.stop() == 0
    assert s3.objects(f"{one.prefix}/") == before


@pytest.mark.rule("divergence")
def test_an_end_that_is_not_on_the_disk_any_more_needs_a_base_backup(
    machine: Machine, s3: S3Server
) -> None:
    """A copy that ran without the archive: its next segment fits by name, and by nothing else."""
    with contextlib.ExitStack() as ends:

        def walsup(**chosen: Any) -> Walsup:  # noqa: ANN401 (Walsup's own)
            return ends.enter_context(Walsup(machine, s3=s3, **chosen))

        one = _stopped(walsup)
        other = _copy(walsup, one)
        archive = other.environment.pop("WALSUP_ARCHIVE")
        one.start()
        wait_protected(one)
        _write(one)
        wait_no_lag(one)
        assert one.stop() == 0
        newest = segments(s3, one.prefix)[-1]
        assert len(sentinels(s3, one.prefix)) == 1
        other.start()
        other.wait_accepts()
        while other.psql("select pg_walfile_name(pg_current_wal_insert_lsn())") <= newest:
            _write(other)
            other.psql("create table u (n int); drop table u")
        for _ in range(2):
            other.psql("checkpoint")
        assert not (other.pgdata / "pg_wal" / newest).exists()
        assert other.stop() == 0
        other.environment["WALSUP_ARCHIVE"] = archive
        other.start()
        wait_protected(other)
        assert other.events("archive.not_continued")
        assert len(sentinels(s3, one.prefix)) == 2
        assert not status(other)["holes"]


@pytest.mark.rule("same-name-other-bytes")
def test_a_segment_in_two_compressions_is_an_alarm(walsup: Make, s3: S3Server) -> None:
    """Another program archives under our names behind us; the alarm stands until that has gone."""
    one = walsup(env=SHORT).start()
    wait_protected(one)
    _write(one)
    wait_no_lag(one)
    name, *_, last = segments(s3, one.prefix)
    assert name != last
    mine = next(k for k in s3.keys(f"{one.prefix}/wal_005/{name}") if k.endswith((".lz4", ".zst")))
    theirs = f"{mine.rpartition('.')[0]}.br"
    s3.put(theirs, s3.get(mine))
    fault = wait_fault(one, "archive")
    assert fault["kind"] == "overwrite conflict"
    assert name in fault["problem"]
    one.kill("agent")
    one.wait_for(lambda: len(one.events("fault.appeared")) > 1, "the next agent finds it too")
    s3.delete(theirs)
    wait_protected(one)


@pytest.mark.rule("one-owner")
def test_a_server_without_conditions_keeps_the_gate_shut_unless_allowed(
    walsup: Make,
) -> None:
    """The database runs, nothing is uploaded; WALSUP_UNSAFE_OWNER opens it, and is logged."""
    with LooseS3() as loose:
        archive = {"WALSUP_ARCHIVE": f"s3://{loose.bucket}/unsafe"}
        one = walsup(s3=None, env=loose.environment | archive | SHORT).start()
        fault = wait_fault(one, "gate")
        assert fault["kind"] == "no conditional writes"
        assert "WALSUP_UNSAFE_OWNER" in fault["remedy"]
        assert one.accepts()
        assert one.stop() == 0
        one.environment |= {"WALSUP_UNSAFE_OWNER": "1", "WALSUP_LEASE": "15s"}
        one.start()
        one.wait_for(
            lambda: status(one).get("gate", {}).get("state") == "open",
            "it is let in",
            timeout_s=90,
        )
        assert one.events("owner.unsafe")
        wal = loose.directory / "unsafe" / "wal_005"
        one.wait_for(
            lambda: wal.is_dir() and any(wal.iterdir()), "a segment is there", timeout_s=90
        )

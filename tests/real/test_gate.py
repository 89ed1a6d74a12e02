"""The gate: shut before an archive that is not ours, opened with a fresh daemon on one that is."""

import json
import os
from collections.abc import Callable
from dataclasses import replace
from signal import SIGCONT, SIGSTOP

import pytest

from dev.harness import S3Server, Walsup
from dev.harness.checks.witness import (
    cli,
    owner,
    segments,
    sentinels,
    status,
    verdict,
    wait_fault,
    wait_protected,
)
from walsup.archive.owner_record import Owner

Make = Callable[..., Walsup]
SHORT = {"WALSUP_LEASE": "2s"}


@pytest.fixture
def others(walsup: Make) -> str:
    """The prefix of another, stopped database."""
    one = walsup(env={"WALSUP_INITIAL_BACKUP": "on"}).start()
    wait_protected(one)
    assert one.stop() == 0
    return one.prefix


def _database(walsup: Make) -> Walsup:
    """A stopped database of its own, which has no archive yet."""
    one = walsup(s3=None).start()
    one.wait_accepts()
    assert one.stop() == 0
    return one


def _with_archive(walsup: Make, one: Walsup, prefix: str) -> Walsup:
    archived = walsup(prefix=prefix)
    archived.pgdata = one.pgdata
    archived.environment["PGDATA"] = str(one.pgdata)
    return archived


def _unchanged(s3: S3Server, prefix: str, before: list[str]) -> None:
    assert s3.keys(f"{prefix}/") == before


def _is_kept_out(one: Walsup, s3: S3Server, prefix: str, says: str) -> None:
    before = s3.keys(f"{prefix}/")
    one.start()
    one.wait_accepts()
    fault = wait_fault(one, "gate")
    assert fault["kind"] == "not the owner"
    assert says in fault["problem"]
    one.psql("create table t (n int)")
    one.psql("select pg_switch_wal()")
    one.psql("select pg_switch_wal()")
    assert status(one)["gate"]["state"] == "shut"
    assert not status(one)["protected"]
    one.wait_for(lambda: one.http("/readyz")[0] == 200, "it is ready")
    _unchanged(s3, prefix, before)


@pytest.mark.rule("ownership")
def test_an_archive_with_another_owner_stays_shut(walsup: Make, s3: S3Server, others: str) -> None:
    """The database runs, WAL waits, and both system identifiers are named."""
    one = _with_archive(walsup, _database(walsup), others)
    _is_kept_out(one, s3, others, owner(s3, others)["system_id"])
    assert one.stop() == 0


@pytest.mark.rule("ownership")
def test_a_foreign_archive_without_owner_is_told_by_its_sentinel(
    walsup: Make, s3: S3Server, others: str
) -> None:
    """An archive of plain WAL-G, KubeDB or Spilo has no owner.json."""
    s3.delete(f"{others}/walsup/owner.json")
    one = _with_archive(walsup, _database(walsup), others)
    _is_kept_out(one, s3, others, "base_0000")


@pytest.mark.rule("ownership")
def test_a_foreign_archive_of_segments_alone_is_told_by_its_first_page(
    walsup: Make, s3: S3Server, others: str
) -> None:
    """Without any sentinel the newest segment says whose it is."""
    for key in s3.keys(f"{others}/"):
        if "/wal_005/" not in key:
            s3.delete(key)
    one = _with_archive(walsup, _database(walsup), others)
    _is_kept_out(one, s3, others, segments(s3, others)[-1])


@pytest.mark.rule("archive-settings")
def test_found_foreign_the_next_start_archives_nothing_until_it_is_ours(
    walsup: Make, s3: S3Server, others: str
) -> None:
    """archive_mode=off only for this very archive; another prefix is archived to at once."""
    one = _with_archive(walsup, _database(walsup), others)
    _is_kept_out(one, s3, others, "system identifier")
    assert one.psql("show archive_mode") == "on"
    assert one.stop() == 0
    one.start()
    one.wait_accepts()
    assert one.psql("show archive_mode") == "off"
    assert one.events("archive.foreign")
    wait_fault(one, "gate")
    assert one.stop() == 0
    own = _with_archive(walsup, one, f"{others}-own").start()
    wait_protected(own)
    assert own.psql("show archive_mode") == "on"


def test_an_archive_of_the_plain_engine_is_continued_in_place(walsup: Make, s3: S3Server) -> None:
    """Same system identifier, no owner.json: claimed, with the compression it has."""
    one = walsup(env={"WALSUP_COMPRESSION": "lz4"}).start()
    wait_protected(one)
    assert one.stop() == 0
    for key in s3.keys(f"{one.prefix}/walsup/"):
        s3.delete(key)
    (one.pgdata / ".walsup-owned").unlink()
    one.environment["WALSUP_COMPRESSION"] = "zstd"
    one.start()
    wait_protected(one)
    found = owner(s3, one.prefix)
    # The data directory knows of epoch 1: an owner object is never written with that again.
    assert (found["epoch"], found["compression"]) == (2, "lz4")
    assert len(sentinels(s3, one.prefix)) == 1
    one.psql("create table t (n int)")
    assert one.stop() == 0
    kinds = {key.rpartition(".")[2] for key in s3.keys(f"{one.prefix}/wal_005/")}
    assert "zst" not in kinds


@pytest.mark.rule("one-owner")
def test_another_copy_of_the_cluster_is_kept_out(walsup: Make) -> None:
    """Same system identifier, another instance: only `adopt` may decide (part 2)."""
    one = walsup().start()
    wait_protected(one)
    assert one.stop() == 0
    (one.pgdata / ".walsup-instance").unlink()
    one.start()
    one.wait_accepts()
    fault = wait_fault(one, "gate")
    assert fault["kind"] == "not the owner"
    assert "another copy" in fault["problem"]


@pytest.mark.rule("listing-is-proof")
def test_the_daemon_is_fresh_at_each_opening_and_kept_when_the_agent_dies(
    walsup: Make, s3: S3Server
) -> None:
    """An agent's death does not interrupt the archive."""
    one = walsup().start()
    wait_protected(one)
    before = one.state()
    agent = one.kill("agent")
    one.wait_for(lambda: one.state().get("agent_pid") not in (str(agent), ""), "the agent is back")
    wait_protected(one)
    assert one.state()["engine_pid"] == before["engine_pid"]
    assert owner(s3, one.prefix)["epoch"] == 1
    rendered = json.loads((one.run_dir / "engine.json").read_text())
    assert rendered["WALG_PREVENT_WAL_OVERWRITE"] == "true"
    assert (one.run_dir / "engine.json").stat().st_mode & 0o777 == 0o600
    assert one.stop() == 0
    one.start()
    wait_protected(one)
    assert owner(s3, one.prefix)["epoch"] == 2


def test_secrets_are_read_again_on_hup(walsup: Make) -> None:
    """At once, and said so; credentials that do not work are named, and the old ones are kept."""
    one = walsup()
    secret = one.pgdata.parent / "secret"
    secret.write_text(one.environment.pop("AWS_SECRET_ACCESS_KEY") + "\n")
    one.environment["AWS_SECRET_ACCESS_KEY_FILE"] = str(secret)
    one.start()
    wait_protected(one)
    good, engine = secret.read_text(), one.state()["engine_pid"]
    one.signal(1)
    # Of files that are as they were nothing is said when they are only polled.
    assert not one.wait_event("settings.reloaded")["changed"]
    secret.write_text("wrong")
    one.signal(1)
    assert wait_fault(one, "secrets")["kind"] == "auth"
    assert status(one)["gate"]["state"] == "open"
    secret.write_text(good)
    one.signal(1)
    wait_protected(one)
    assert one.state()["engine_pid"] == engine


@pytest.mark.rule("listing-is-proof")
def test_a_segment_reported_archived_and_not_in_the_bucket_is_pushed_again(
    walsup: Make, s3: S3Server
) -> None:
    """`.done` is no proof: the listing finds the gap, which is named and closed."""
    one = walsup().start()
    wait_protected(one)
    before = segments(s3, one.prefix)
    agent = one.outer_pid(int(one.state()["agent_pid"]))
    os.kill(agent, SIGSTOP)
    one.psql("create table t (n int)")
    one.psql("select pg_switch_wal()")
    one.wait_for(lambda: len(segments(s3, one.prefix)) > len(before), "a new segment")
    lost = segments(s3, one.prefix)[-1]
    for key in s3.keys(f"{one.prefix}/wal_005/{lost}"):
        s3.delete(key)
    os.kill(agent, SIGCONT)
    one.wait_for(lambda: one.events("segment.pushed_again"), "it is pushed again", timeout_s=60)
    one.wait_for(lambda: lost in segments(s3, one.prefix), "it is in the bucket again")
    wait_protected(one)
    assert any(e["subject"] == "segments" for e in one.events("fault.appeared"))


def test_only_credentials_change_while_it_runs(walsup: Make, s3: S3Server) -> None:
    """Another archive on HUP would be one without a base backup."""
    one = walsup()
    archive = one.pgdata.parent / "archive"
    archive.write_text(one.environment.pop("WALSUP_ARCHIVE"))
    one.environment["WALSUP_ARCHIVE_FILE"] = str(archive)
    one.start()
    wait_protected(one)
    archive.write_text(f"s3://{s3.bucket}/{one.prefix}-other")
    one.signal(1)
    one.wait_event("settings.kept")
    one.psql("create table t (n int)")
    assert one.stop() == 0
    assert s3.keys(f"{one.prefix}-other") == []


@pytest.mark.rule("one-owner")
def test_an_archive_that_somebody_else_has_taken_is_let_go_of(walsup: Make, s3: S3Server) -> None:
    """The daemon is ended, the fault names the other, and a stop claims nothing."""
    one = walsup(env=SHORT).start()
    wait_protected(one)
    key = f"{one.prefix}/walsup/owner.json"
    stolen = owner(s3, one.prefix) | {"system_id": "7000000000000000001", "boot": "another"}
    s3.put(key, json.dumps(stolen).encode())
    fault = wait_fault(one, "gate")
    assert fault["kind"] == "not the owner"
    assert "7000000000000000001" in fault["problem"]
    one.wait_for(lambda: not one.state().get("engine_pid"), "the daemon has gone")
    before = segments(s3, one.prefix)
    one.psql("create table t (n int)")
    one.psql("select pg_switch_wal()")
    assert one.stop() == 0
    assert "is in the bucket: no" in verdict(one)
    assert segments(s3, one.prefix) == before


@pytest.mark.rule("archive-names")
def test_an_owner_object_that_was_removed_is_no_empty_archive(walsup: Make, s3: S3Server) -> None:
    """The whole archive is deleted under it: nothing is protected until a person says so."""
    one = walsup(env=SHORT).start()
    wait_protected(one)
    for key in s3.keys(f"{one.prefix}/"):
        s3.delete(key)
    fault = wait_fault(one, "gate")
    assert fault["kind"] == "owner removed"
    assert not status(one)["protected"]
    one.psql("create table t (n int)")
    assert one.stop() == 0
    assert "is in the bucket: no" in verdict(one)
    one.start()
    assert wait_fault(one, "gate")["kind"] == "owner removed"
    told = cli(one, "adopt", "--yes")
    assert told.returncode == 0, told.stderr
    wait_protected(one)
    assert len(sentinels(s3, one.prefix)) == 1


@pytest.mark.rule("one-owner")
def test_the_verdict_asks_who_owns_the_archive(walsup: Make, s3: S3Server) -> None:
    """Another start takes the archive just before the stop: what is listed may be its WAL.

    It runs in another place, with a long lease: an owner object of the same place would be taken
    back at once, because the directory's lock shows that its container is dead.
    """
    one = walsup(env=SHORT).start()
    wait_protected(one)
    before = _owner(s3, one.prefix)
    # Just after a renewal: this write has no condition, and must not meet the next one.
    one.wait_for(lambda: _owner(s3, one.prefix) != before, "a renewal")
    ours = _owner(s3, one.prefix)
    stolen = replace(ours, boot="another", place="another", lease_s=60.0).signed()
    s3.put(f"{one.prefix}/walsup/owner.json", stolen.to_json())
    assert one.stop() == 0
    # A renewal and a new claim may find it first: then archiving is disabled, and the claim says
    # that another start holds the archive.
    said = verdict(one)
    assert "is in the bucket: no: " in said
    assert "another start " in said
    assert _owner(s3, one.prefix) == stolen


def _owner(s3: S3Server, prefix: str) -> Owner:
    return Owner.from_json(s3.get(f"{prefix}/walsup/owner.json"))


@pytest.mark.rule("one-owner")
def test_two_fresh_databases_never_share_an_archive(walsup: Make, s3: S3Server) -> None:
    """Both find it empty; the owner object lets one in, the other runs outside."""
    first = walsup()
    second = walsup(prefix=first.prefix)
    first.start()
    second.start()

    def one_is_in() -> bool:
        states = [status(one).get("gate", {}).get("state") for one in (first, second)]
        return "open" in states and ("shut" in states or not second.is_running)

    first.wait_for(one_is_in, "one is in and the other is not", timeout_s=60)
    system_id = owner(s3, first.prefix)["system_id"]
    let_in = [one for one in (first, second) if status(one).get("system_id") == system_id]
    assert len(let_in) == 1
    wait_protected(let_in[0])
    assert len(sentinels(s3, first.prefix)) == 1

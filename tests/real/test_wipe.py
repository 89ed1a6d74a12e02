"""Wiping an archive (S32): all of it, nothing else, and not while somebody lives on it."""

import json
import random
from dataclasses import replace
from pathlib import Path

import pytest

from dev.harness import FaultProxy, S3Server, wait_until
from dev.harness.scenarios.wiping import OWNER, Laid, kill_and_go_on, owner, start
from walsup.datadir.archive_subpath import remember


@pytest.fixture
def laid(s3: S3Server, request: pytest.FixtureRequest) -> Laid:
    """A place for an archive in the unversioned bucket."""
    words = request.node.name.lower().replace("_", "-").partition("[")[0]
    return Laid(s3, f"{words[:40]}/{random.randrange(1 << 30):x}")


@pytest.mark.rule("wipe")
def test_a_dry_run_counts_and_changes_nothing(laid: Laid) -> None:
    """Objects, bytes, uploads, whose it is; a wrong name does as little."""
    laid.fill()
    laid.begin_upload("basebackups_005/half", [b"x" * (5 << 20), b"y" * 1000])
    before = laid.everything()
    shown = laid.wipe()
    assert shown.returncode == 0, shown.stderr
    lines = {line.split()[0]: line for line in shown.stdout.splitlines()}
    assert lines["objects"].split()[1] == str(len(before))
    assert lines["unfinished"].split()[2:4] == ["1", "5MB"]
    assert "stopped" in lines["owner:"]
    assert f"walsup wipe --confirm {laid.prefix}" in shown.stdout
    for wrong in (laid.prefix.rpartition("/")[2], f"{laid.prefix}/", f"{laid.prefix}2", ""):
        refused = laid.wipe("--confirm", wrong)
        assert refused.returncode == 2, refused.stdout
        assert "nothing was deleted" in refused.stderr
    assert laid.everything() == before
    assert laid.uploads()


@pytest.mark.rule("wipe")
def test_all_of_it_goes_and_no_neighbour(laid: Laid) -> None:
    """Odd keys, uploads and the owner object; db2, db-x, db.d stay. Again: nothing to do."""
    laid.fill(segments=5)
    for key in ("wal_005/control\x01", "wal_005/lines\rand\nmore"):  # which no XML can name
        laid.put(key)
    for key in ("basebackups_005/half", "wal_005/other"):
        laid.begin_upload(key)
    neighbours = laid.neighbours()
    other = Laid(laid.s3, f"{laid.prefix}2")
    other.begin_upload("wal_005/theirs")
    done = laid.wipe_all()
    assert done.returncode == 0, done.stderr
    assert "is empty" in done.stdout
    assert "unfinished uploads: 2" in done.stdout
    assert (laid.everything(), laid.uploads(), laid.s3.keys(f"{laid.prefix}/")) == ([], [], [])
    assert laid.are_there(neighbours)
    assert other.uploads()
    again = laid.wipe_all()
    assert (again.returncode, "nothing to wipe" in again.stdout) == (0, True)


@pytest.mark.parametrize(
    ("keys", "says"),
    [
        (("east/walsup/owner.json", "east/wal_005/x"), "east/"),
        (("demo/one/archive/wal_005/x", "demo/two/archive/basebackups_005/x"), "demo/two/archive/"),
        (("000000010000000000000001.lz4",), "not an archive"),
    ],
)
@pytest.mark.rule("wipe")
def test_what_is_not_one_archive_is_refused(laid: Laid, keys: list[str], says: str) -> None:
    """Another owner below it, a folder of KubeDB's, the WAL folder of an archive."""
    if "not an archive" not in says:
        laid.fill()
    for key in keys:
        laid.put(key)
    before = laid.everything()
    for asked in (laid.wipe(), laid.wipe_all("--even-if-fresh")):
        assert asked.returncode == 74
        assert says in asked.stderr
    assert laid.everything() == before


@pytest.mark.rule("wipe")
def test_a_buckets_root_is_refused(laid: Laid) -> None:
    """By the settings already."""
    for archive in (f"s3://{laid.bucket}", f"s3://{laid.bucket}/", f"s3://{laid.bucket}/../x"):
        refused = laid.wipe("--confirm", "", WALSUP_ARCHIVE=archive)
        assert refused.returncode == 64
        says = "has .. in its prefix" if ".." in archive else "needs a bucket and a prefix"
        assert says in refused.stderr


@pytest.mark.rule("wipe")
def test_an_archive_that_went_on_in_a_sub_path(laid: Laid, tmp_path: Path) -> None:
    """The data directory knows where; the one above is refused while that one is there."""
    sub = Laid(laid.s3, f"{laid.prefix}/again-1")
    laid.fill()
    sub.fill()
    above = [one for one in laid.everything() if not one[0].startswith("again-1/")]
    remember(tmp_path, f"s3://{laid.bucket}/{laid.prefix}", "again-1")
    assert "again-1/" in laid.wipe_all().stderr
    volume = {"PGDATA": str(tmp_path)}
    assert laid.wipe_all(**volume).returncode == 2
    done = laid.wipe("--confirm", sub.prefix, **volume)
    assert done.returncode == 0, done.stderr
    assert laid.everything() == above
    assert laid.wipe_all().returncode == 0
    assert laid.everything() == []


@pytest.mark.rule("wipe")
def test_an_archive_that_nobody_owns(laid: Laid) -> None:
    """Refused while it is fresh: nothing tells who writes there. Else an owner is made first."""
    laid.fill(owned=False)
    shown = laid.wipe()
    assert "without an owner object" in shown.stdout
    before = laid.everything()
    refused = laid.wipe_all()
    assert refused.returncode == 74
    assert "--even-if-fresh" in refused.stderr
    assert laid.everything() == before
    # A walsup was there: one that does not know yet that its owner object has gone is waited for.
    done = laid.wipe_all("--even-if-fresh", WALSUP_LEASE="1s")
    assert done.returncode == 0, done.stderr
    assert "was missing" in done.stderr
    assert laid.everything() == []


@pytest.mark.rule("wipe")
def test_who_renews_is_alive_and_who_does_not_is_waited_for(laid: Laid) -> None:
    """Four leases by a clock of our own, with words; a renewal meanwhile is a refusal."""
    laid.fill()
    laid.put(OWNER, owner(state="running", lease_s=1).to_json())
    before = laid.everything()
    waiting = start(laid)
    assert waiting.stderr is not None
    assert "waiting" in waiting.stderr.readline()
    laid.put(OWNER, replace(laid.owner(), lsn=0x4000000).signed().to_json())
    words = waiting.communicate(timeout=60)[1]
    assert waiting.returncode == 74
    assert "is alive on it" in words
    assert laid.everything() == before
    done = laid.wipe_all(WALSUP_LEASE="1s")
    assert done.returncode == 0, done.stderr
    assert "its lease counts as expired after 4 s" in done.stderr
    assert laid.everything() == []


@pytest.mark.rule("wipe")
def test_a_lease_that_is_longer_than_ours_counts(laid: Laid) -> None:
    """The holder's own is in its object."""
    laid.fill()
    laid.put(OWNER, owner(state="running", lease_s=600).to_json())
    assert "waits 2400 s" in laid.wipe().stdout


@pytest.mark.rule("wipe")
def test_two_wipes_at_once(laid: Laid) -> None:
    """The second sees the first renew."""
    laid.fill()
    laid.put(OWNER, owner(state="wiping").to_json())
    assert "a wipe, running or killed" in laid.wipe().stdout
    second = start(laid)
    assert second.stderr is not None
    assert "waiting" in second.stderr.readline()
    laid.put(OWNER, owner(state="wiping").to_json())
    assert "another wipe" in second.communicate(timeout=60)[1]
    assert second.returncode == 74


@pytest.mark.rule("wipe")
def test_a_wipe_that_was_killed_goes_on(laid: Laid) -> None:
    """SIGKILL at random moments: the owner object says wiping until nothing else is there."""
    laid.fill(segments=50)
    neighbours = laid.neighbours()
    assert kill_and_go_on(laid, random.Random(32), kills=5, wait=False) > 0
    assert laid.are_there(neighbours)


@pytest.mark.rule("wipe")
def test_a_wipe_that_is_ended_leaves_the_next_one_the_way(laid: Laid) -> None:
    """TERM in the middle: exit code 74, still wiping, and the next run waits for nobody."""
    laid.fill(segments=60)
    with FaultProxy(laid.s3.port) as slow:
        slow.delay(0.15)
        one = start(laid, AWS_ENDPOINT=slow.endpoint)
        wait_until(lambda: len(laid.everything()) < 50, "it has begun", timeout_s=60)
        one.terminate()
        assert "interrupted" in one.communicate(timeout=60)[1]
    assert one.returncode == 74
    assert (laid.owner().state, laid.owner().boot) == ("wiping", "")
    assert "an interrupted wipe" in laid.wipe().stdout
    done = laid.wipe_all()
    assert (done.returncode, done.stderr) == (0, "")
    assert laid.everything() == []


@pytest.mark.rule("wipe")
def test_faults_on_the_way(laid: Laid) -> None:
    """What passes is waited for; a listing that breaks off is not taken for a short one."""
    laid.fill(segments=30)
    with FaultProxy(laid.s3.port) as proxy:
        proxy.answer(503)
        one = start(laid, AWS_ENDPOINT=proxy.endpoint)
        wait_until(lambda: proxy.connections > 0, "it has asked", timeout_s=60)
        proxy.cut()
        seen = proxy.connections
        wait_until(lambda: proxy.connections > seen, "it has asked again", timeout_s=60)
        proxy.pass_through()
        told, words = one.communicate(timeout=100)
        assert one.returncode == 0, words
        assert "is empty" in told
    assert laid.everything() == []


@pytest.mark.rule("wipe")
def test_an_owner_object_that_cannot_be_read(laid: Laid) -> None:
    """A later version's, or nobody's: nothing is deleted."""
    laid.fill()
    laid.put(OWNER, json.dumps({"version": 99}).encode())
    before = laid.everything()
    refused = laid.wipe_all()
    assert refused.returncode == 74
    assert "its version is 99" in refused.stderr
    assert laid.everything() == before

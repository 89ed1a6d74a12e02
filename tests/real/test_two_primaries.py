"""Two instances with WALSUP_ROLE=auto on one archive: never two primaries (S19)."""

import json
import subprocess
from collections.abc import Callable, Iterator
from signal import SIGKILL

import pytest

from dev.harness import FaultProxy, S3Server, Walsup
from dev.harness.checks.witness import cli, owner, status, wait_fault, wait_protected
from dev.harness.checks.writers import Writers, writes
from dev.harness.processes.machine import PYTHON
from dev.harness.scenarios.fleet import Node
from dev.harness.scenarios.pair import Pair, make_pair
from dev.harness.scenarios.standbys import (
    archive_now,
    rows,
    wait_primary,
    wait_rows,
    wait_source,
    written,
)

Make = Callable[..., Walsup]


@pytest.fixture
def pair(walsup: Make, s3: S3Server) -> Iterator[Pair]:
    """Two pods of a StatefulSet."""
    with FaultProxy(s3.port) as proxy:
        yield make_pair(walsup, proxy)


def test_a_promotion_claims_the_archive_first_so_a_restarted_primary_follows(
    pair: Pair, s3: S3Server
) -> None:
    """A clean stop gives the archive up; the promotion takes it before postgres is promoted."""
    zero, one, count = pair.zero, pair.one, pair.written
    assert zero.stop() == 0
    with Writers(zero, one) as seen:
        promoting = subprocess.Popen(
            [str(PYTHON), "-I", "-m", "walsup", "promote"],
            env=one.environment,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
        )
        one.wait_for(lambda: owner(s3, zero.prefix)["next_timeline"] == 2, "the archive is claimed")
        zero.start()
        told = promoting.communicate(timeout=60)[0]
        assert promoting.returncode == 0, told
        assert "timeline 2" in told
        wait_protected(one, timeout_s=90)
        wait_source(zero, "streaming", timeout_s=120)
        # Restarted, each of them is still what it was.
        assert one.stop() == 0
        one.start()
        wait_protected(one)
        assert (writes(one), writes(zero)) == (True, False)
        kept = written(one, 5)
        archive_now(one)
        wait_rows(zero, kept)
    assert kept > count
    assert (seen.together, seen.looks > 10) == (0, True)
    assert owner(s3, zero.prefix)["timeline"] == 2


def test_the_agents_claim_is_made_again_when_the_promotion_renews_meanwhile(
    pair: Pair, s3: S3Server
) -> None:
    """Both are of one start: whoever is faster, the archive is this instance's, and no fault."""
    zero, one = pair.zero, pair.one
    key = f"{zero.prefix}/walsup/owner.json"
    assert zero.stop() == 0
    assert one.stop() == 0
    direct = dict(one.environment)
    with FaultProxy(s3.port) as proxy:
        one.environment["AWS_ENDPOINT"] = proxy.endpoint
        one.start()
        wait_source(one, "archive", timeout_s=90)
        proxy.hold(f"PUT /{s3.bucket}/{key}")
        told = subprocess.run(
            [str(PYTHON), "-I", "-m", "walsup", "promote"],
            env=direct,
            capture_output=True,
            text=True,
            check=False,
            timeout=90,
        )
        assert told.returncode == 0, told.stderr
        one.wait_for(lambda: proxy.holds, "the agent claims", timeout_s=60)
        # What a renewal by `walsup promote` does between the agent's read and its write.
        s3.put(key, json.dumps(owner(s3, zero.prefix) | {"nonce": "of-a-renewal"}).encode())
        proxy.let_go()
        wait_primary(one)
        appeared = [e for e in one.events("fault.appeared") if e["kind"] == "overwrite conflict"]
        assert appeared == []
        assert writes(one)
        assert owner(s3, zero.prefix)["timeline"] == 2


def test_a_primary_that_has_claimed_again_is_not_promoted_past(pair: Pair) -> None:
    """Restarted faster than the promotion: the promotion is refused, whatever is forced."""
    zero, one = pair.zero, pair.one
    assert zero.stop() == 0
    zero.start()
    wait_protected(zero)
    for arguments in ((), ("--force",)):
        told = cli(one, "promote", *arguments)
        assert told.returncode == 74, told.stdout
        assert "owner is alive" in told.stderr
    assert (writes(zero), writes(one)) == (True, False)


def test_a_crash_between_claim_and_promotion_leaves_a_retry_and_a_person(
    pair: Pair, s3: S3Server
) -> None:
    """The old primary is read-only meanwhile; a second `walsup promote` goes on."""
    zero, one, count = pair.zero, pair.one, pair.written
    assert zero.stop() == 0
    # The claim alone, as a promotion leaves it that is killed after it.
    claimed = subprocess.run(
        [str(PYTHON), "-I", "-c", _CLAIM_ONLY],
        env=one.environment,
        capture_output=True,
        text=True,
        check=False,
        timeout=60,
    )
    assert claimed.returncode == 0, claimed.stderr
    one.kill("postgres", SIGKILL)
    one.kill_tree()
    with Writers(zero, one) as seen:
        zero.start()
        fault = wait_fault(zero, "role", timeout_s=60)
        assert "claimed the archive to be promoted to timeline 2" in fault["problem"]
        zero.wait_accepts()
        wait_rows(zero, count)
        assert not writes(zero)
        assert cli(zero, "promote").returncode == 65
        one.start()
        one.wait_accepts()
        assert not writes(one)
        told = cli(one, "promote")
        assert told.returncode == 0, told.stderr
        assert "timeline 2" in told.stdout
        wait_primary(one)
        # Now the archive says what the other one is.
        assert zero.wait(60) == 74
        zero.start()
        wait_source(zero, "streaming", timeout_s=120)
    assert (seen.together, writes(one)) == (0, True)
    assert owner(s3, zero.prefix)["epoch"] > 2


_CLAIM_ONLY = """
import asyncio, os
from walsup import settings
from walsup.commands import agent_client
from walsup.commands.promote.owner_watch import Watch
from walsup.datadir import archive_subpath
known = archive_subpath.where(settings.load(os.environ))
async def work():
    watch = Watch(known, agent_client.start(known, os.environ).boot, print)
    await watch.until_silent()
    lease = await watch.promotion.claim(unsafe=False)
    assert lease.owner.next_timeline == 2, lease
asyncio.run(work())
"""


def test_a_promotion_by_hand_beside_a_living_owner_is_ended_within_the_lease(pair: Pair) -> None:
    """`select pg_promote()` claims nothing: the one that is not the owner stops taking writes."""
    zero, one = pair.zero, pair.one
    one.psql("select pg_promote()")
    assert one.wait(60) == 65
    assert one.events("role.lost")
    assert writes(zero)
    one.start()
    one.wait_accepts(timeout_s=60)
    fault = wait_fault(one, "role")
    assert fault["kind"] == "not following"
    assert (writes(zero), writes(one)) == (True, False)
    assert status(zero)["protected"]
    # Restarted again, and with the owner writing on: it stays read-only.
    before = rows(one)
    assert written(zero, 5) > before
    assert one.stop() == 0
    one.start()
    one.wait_accepts(timeout_s=60)
    assert (rows(one), writes(one)) == (before, False)


def test_a_frozen_owner_that_thaws_finds_the_promotion_and_ends(pair: Pair) -> None:
    """Everything of it stood still for longer than the promotion waits."""
    zero, one, count = pair.zero, pair.one, pair.written
    node = Node(zero, "zero")
    node.pause()
    told = cli(one, "promote")
    assert told.returncode == 0, told.stderr
    wait_primary(one)
    more = written(one, 5)
    archive_now(one)
    node.resume(init_last=True)
    # PID 1 ends it because its deadline is over, or the agent because another holds the archive.
    assert zero.wait(60) in {65, 74}
    zero.start()
    wait_rows(zero, more)
    assert (writes(one), writes(zero)) == (True, False)
    assert more > count

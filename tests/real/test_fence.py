"""A primary that cannot renew its lease: when it may go on, and when PID 1 ends it (S19)."""

import os
from collections.abc import Callable, Iterator
from functools import partial
from pathlib import Path
from signal import SIGCONT, SIGSTOP

import pytest

from dev.harness import FaultProxy, S3Server, Walsup
from dev.harness.checks.witness import cli, status, wait_fault
from dev.harness.checks.writers import Writers, writes
from dev.harness.scenarios.fleet import Node
from dev.harness.scenarios.pair import Pair, make_pair
from dev.harness.scenarios.standbys import rows, wait_primary, wait_rows, wait_source, written
from walsup.archive.lease_terms import RIVAL_LEASES
from walsup.archive.ownership.lease import now_s

Make = Callable[..., Walsup]


@pytest.fixture
def pair(walsup: Make, s3: S3Server) -> Iterator[Pair]:
    """Two pods of a StatefulSet."""
    with FaultProxy(s3.port) as proxy:
        # Long enough for a busy machine: a standby has a lease to acknowledge what is written.
        yield make_pair(walsup, proxy, WALSUP_LEASE="2s")


def _deadline(one: Walsup) -> float:
    """The deadline that PID 1 reads, 0 when there is none."""
    path = Path(one.run_dir) / "fence"
    return float(path.read_text().split()[0]) if path.exists() else 0.0


def _is_after(one: Walsup, before_s: float) -> bool:
    return _deadline(one) > before_s


def _moves(one: Walsup, times: int) -> None:
    """Wait until the deadline has been moved so often."""
    for _ in range(times):
        before = _deadline(one)
        one.wait_for(partial(_is_after, one, before), "the deadline is moved")


@pytest.mark.rule("role-from-the-archive")
def test_an_outage_of_s3_ends_nobody_while_the_standby_acknowledges_and_silence_does(
    pair: Pair,
) -> None:
    """PID 1 ends it, with a frozen agent too; the standby is promoted then, and it follows."""
    zero, one = pair.zero, pair.one
    one.wait_for(lambda: _deadline(zero) > 0, "a standby streams: the deadline is there")
    _lag_needs_attention(zero, one)
    pair.proxy.refuse()
    wait_fault(zero, "gate", timeout_s=60)
    _moves(zero, 6)
    assert writes(zero)
    refused = cli(one, "promote")
    assert refused.returncode == 74
    assert "sends WAL to this standby" in refused.stderr
    count = written(zero, 5)
    wait_rows(one, count)
    node = Node(one, "one")
    zero.kill("agent", SIGSTOP)
    node.pause()
    assert zero.wait(60) == 74
    assert zero.events("fence.reached")
    node.resume(init_last=False)
    with Writers(zero, one) as seen:
        # As long as it cannot ask, it is read-only.
        zero.start()
        zero.wait_accepts(timeout_s=60)
        assert (rows(zero), writes(zero)) == (count, False)
        told = cli(one, "promote")
        assert told.returncode == 0, told.stderr
        wait_primary(one)
        assert rows(one) == count
        pair.proxy.pass_through()
        assert zero.wait(60) == 74
        zero.start()
        wait_source(zero, "streaming", timeout_s=120)
    assert seen.together == 0
    assert (writes(one), writes(zero)) == (True, False)


def _lag_needs_attention(zero: Walsup, one: Walsup) -> None:
    """One that lags by more than a lease saves no primary: it is shown before that matters."""
    titles = ((m.outer_pid, " ".join(m.argv)) for m in one.members())
    receiver = next(pid for pid, title in titles if "postgres: walreceiver" in title)
    os.kill(receiver, SIGSTOP)
    written(zero, 5)
    zero.wait_for(lambda: "standby lag" in status(zero)["attention"], "its lag is shown")
    shown = status(zero)["attention"]["standby lag"]
    assert "lacks WAL that was written more than a lease" in shown["problem"]
    os.kill(receiver, SIGCONT)
    zero.wait_for(lambda: not status(zero)["attention"], "it has caught up")


def test_a_frozen_agent_is_started_again_before_the_deadline(walsup: Make, s3: S3Server) -> None:
    """Nothing else is wrong: the database goes on, and its lease is renewed."""
    with FaultProxy(s3.port) as proxy:
        zero = make_pair(walsup, proxy, WALSUP_LEASE="8s").zero
        zero.wait_for(lambda: _deadline(zero) > 0, "a standby streams: the deadline is there")
        before_s = _deadline(zero)
        zero.kill("agent", SIGSTOP)
        zero.wait_for(lambda: now_s() > before_s, "the deadline passes", timeout_s=60)
        assert zero.events("agent.late")
        assert not zero.events("fence.reached")
        assert _is_after(zero, now_s())
        assert writes(zero)


def test_an_outage_of_s3_never_ends_a_database_of_which_no_standby_streams(
    walsup: Make, s3: S3Server
) -> None:
    """Whether it has a role, or has lost its only standby while the archive answered."""
    with FaultProxy(s3.port) as proxy:
        pair = make_pair(walsup, proxy)
        zero = pair.zero
        zero.wait_for(lambda: _deadline(zero) > 0, "a standby streams")
        assert pair.one.stop() == 0
        zero.wait_for(lambda: _deadline(zero) == 0, "it streams no more: no deadline")
        proxy.refuse()
        wait_fault(zero, "gate", timeout_s=60)
        # The owner object stands unchanged for longer than any deadline would.
        over_s = now_s() + 2 * RIVAL_LEASES
        zero.wait_for(lambda: now_s() > over_s, "leases pass")
        assert not zero.events("fence.reached")
        assert writes(zero)

"""What the probes answer."""

from dataclasses import replace

import pytest

from tests.unit.agent.snapshots import FAULT, PROTECTED, RECOVERING, STARTING
from walsup.agent.http import health
from walsup.agent.snapshot import BackupSeen, DatabaseState, Gate, Pid1State, Snapshot, WalDisk
from walsup.agent.states import BackupState, GateState, RestorePhase
from walsup.agent.subject import Subject


@pytest.mark.parametrize(
    "seen", [STARTING, PROTECTED, replace(PROTECTED, faults={Subject.BUCKET: FAULT})]
)
@pytest.mark.rule("probes-do-not-kill")
def test_liveness_asks_for_nothing(seen: Snapshot) -> None:
    """Neither S3 nor lag nor a long recovery may let Kubernetes kill a database."""
    assert health.live(seen).ok
    assert health.startup(seen).ok


@pytest.mark.rule("probes-do-not-kill")
def test_waiting_for_the_archive_has_started() -> None:
    """The startup probe is content, and says what is waited for."""
    waiting = replace(STARTING, init=Pid1State(phase="preparing", detail="waiting for the archive"))
    assert health.startup(waiting).reasons == ("waiting for the archive",)
    assert not health.ready(waiting).ok
    assert "waiting for the archive" in health.ready(waiting).reasons[0]


def test_readiness_is_that_connections_are_accepted() -> None:
    """An archive that is away takes no readiness, it is told as detail."""
    assert health.ready(PROTECTED) == health.ProbeAnswer(ok=True)
    faulty = health.ready(replace(PROTECTED, faults={Subject.BUCKET: FAULT}))
    assert faulty.ok
    assert "auth" in faulty.reasons[0]
    assert not health.ready(replace(PROTECTED, database=DatabaseState())).ok
    assert not health.ready(STARTING).ok


@pytest.mark.rule("probes-do-not-kill")
def test_a_restore_has_started_and_is_not_ready() -> None:
    """Read-only sessions may be let in while it is paused: they are not what is wanted."""
    seen = replace(PROTECTED, restore=RECOVERING)
    assert health.live(seen).ok
    assert health.startup(seen).ok
    assert "18 of 72 segments (25%)" in health.startup(seen).reasons[0]
    assert not health.ready(seen).ok
    assert "000000010000000000000014" in health.ready(seen).reasons[0]
    for phase in (RestorePhase.PROMOTED, RestorePhase.DONE):
        assert health.ready(replace(seen, restore=replace(RECOVERING, phase=phase))).ok


@pytest.mark.parametrize("phase", ["stopping", "sweeping", "ended"])
def test_what_stops_is_not_ready(phase: str) -> None:
    """No client is sent to a server that goes away."""
    answer = health.ready(replace(PROTECTED, init=Pid1State(phase=phase)))
    assert not answer.ok
    assert answer.reasons[0] == "the container is stopping"


@pytest.mark.parametrize(
    ("seen", "word"),
    [
        (replace(PROTECTED, archive=None), "WALSUP_ARCHIVE is not set"),
        (
            replace(PROTECTED, gate=Gate(state=GateState.SHUT, reason="not the owner: x")),
            "not the owner",
        ),
        (replace(PROTECTED, gate=Gate()), "not enabled yet"),
        (replace(PROTECTED, backup=BackupSeen()), "no base backup"),
        (replace(PROTECTED, backup=BackupSeen(state=BackupState.RUNNING)), "running"),
        (replace(PROTECTED, faults={Subject.GATE: FAULT}), "AWS_ACCESS_KEY_ID"),
        (replace(PROTECTED, disk=WalDisk(full_in_s=11_000.0)), "pg_wal will be full in about 3h "),
        (replace(PROTECTED, disk=WalDisk(full_in_s=400.0)), "pg_wal will be full in about 7min "),
        (
            replace(PROTECTED, disk=WalDisk(full_in_s=90.4)),
            "pg_wal will be full in about 1min 30s ",
        ),
    ],
)
def test_not_protected(seen: Snapshot, word: str) -> None:
    """Each thing that is missing is said, in readiness too, without taking it."""
    assert not health.protected(seen)
    assert word in " ".join(health.unprotected(seen))
    assert word in " ".join(health.ready(seen).reasons)
    assert health.ready(seen).ok


def test_protected() -> None:
    """With gate, backup and no fault there is nothing to say."""
    assert health.protected(PROTECTED)
    assert health.unprotected(PROTECTED) == []

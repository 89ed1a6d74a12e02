"""The status as JSON and as text."""

import json
from dataclasses import replace

import pytest

from tests.unit.agent.snapshots import FAULT, FETCHING, PROTECTED, RECOVERING, STARTING
from walsup.agent.http.status import as_json, as_text
from walsup.agent.lag_meter import Lag
from walsup.agent.snapshot import Snapshot
from walsup.agent.states import GateState
from walsup.agent.subject import Subject

NO_ARCHIVE = Snapshot(archive=None)
FAULTY = replace(PROTECTED, faults={Subject.BUCKET: FAULT})


@pytest.mark.parametrize("seen", [STARTING, PROTECTED, NO_ARCHIVE, FAULTY])
def test_json_goes_over_the_wire(seen: Snapshot) -> None:
    """What /status gives is JSON, and the text is made of what came over."""
    status = json.loads(json.dumps(as_json(seen), allow_nan=False))
    assert status == as_json(seen)
    text = as_text(status)
    assert ("protected  yes" in text) == status["protected"] == (seen is PROTECTED)
    for reason in status["reasons"]:
        assert reason in text


def test_json_for_people_and_programs() -> None:
    """64-bit numbers are text, as JavaScript rounds them; a fault has class, cure and time."""
    status = as_json(FAULTY)
    assert status["system_id"] == "7300000000000000001"
    assert status["database"]["current_lsn"] == "2/28"
    assert status["lag"]["proven_lsn"] == "1/FF000000"
    fault = status["faults"]["bucket"]
    assert fault["kind"] == "auth"
    assert "AWS_ACCESS_KEY_ID" in fault["remedy"]
    assert fault["help"] == "docs/troubleshooting.md#auth"
    assert fault["since"] == 1.0


@pytest.mark.parametrize("subject", [Subject.BUCKET, Subject.GATE])
def test_a_faults_reason_is_followed_by_its_heading(subject: Subject) -> None:
    """Of the disabled archive too, whose reason ends with the fault's remedy."""
    gate = replace(PROTECTED.gate, state=GateState.SHUT, reason="another owner")
    status = as_json(replace(PROTECTED, gate=gate, faults={subject: FAULT}))
    lines = as_text(status).splitlines()
    ends = [number for number, line in enumerate(lines) if line.endswith(FAULT.fault.cure)]
    assert [lines[number + 1] for number in ends] == ["           see docs/troubleshooting.md#auth"]
    assert sum("docs/troubleshooting.md" in line for line in lines) == 1
    del status["faults"][subject]["help"]  # an agent of an earlier version
    assert "docs/troubleshooting.md" not in as_text(status)


def test_attention_is_shown_and_takes_no_protection_away() -> None:
    """It has a line, class, remedy and time, and readiness says nothing of it."""
    status = as_json(replace(PROTECTED, attention={Subject.GAP: FAULT}))
    assert (status["protected"], status["reasons"], status["ready"]) == (True, [], True)
    assert status["attention"]["gap"]["since"] == 1.0
    text = as_text(status)
    assert "protected  yes" in text
    assert f"attention  {FAULT.fault.problem}; {FAULT.fault.cure}" in text
    assert text.endswith("\n           see docs/troubleshooting.md#auth")
    del status["attention"]  # an agent of an earlier version
    assert "attention" not in as_text(status)


def test_text() -> None:
    """Lag and proof stand in a line each."""
    text = as_text(as_json(PROTECTED))
    assert "lag        2 segments, 5MB, 12.3s" in text
    assert "verified   up to 1/FF000000, postgres is at 2/28" in text
    assert "archiving enabled (walrus)" in text
    idle = replace(PROTECTED, lag=Lag(known=True, bytes=0, idle=True))
    assert "idle" in as_text(as_json(idle))
    assert "lag" not in as_text(as_json(STARTING))


def test_how_far_a_restore_is() -> None:
    """Bytes of the fetch, segments of the recovery, and what is left of both."""
    fetching = as_text(as_json(replace(STARTING, restore=FETCHING)))
    assert "restore    fetching base_1: 3MB of 12MB (25%), about 9s left" in fetching
    status = as_json(replace(STARTING, restore=RECOVERING))
    assert status["restore"]["lsn"] == "0/14000000"
    text = as_text(status)
    assert "recovering from s3://b/source to time 2026-01-01" in text
    assert "18 of 72 (25%), about 1min 33s left" in text
    assert "restore  " not in as_text(as_json(PROTECTED))

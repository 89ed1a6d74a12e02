"""Metrics, read back with Prometheus's own parser."""

import math
from dataclasses import replace
from typing import cast

from hypothesis import given
from hypothesis import strategies as st
from prometheus_client.parser import text_string_to_metric_families

from tests.unit.agent.snapshots import FAULT, FOLLOWING, PROTECTED, STARTING
from walsup.agent.http.metrics import render, table
from walsup.agent.snapshot import Snapshot, WalDisk
from walsup.agent.subject import Subject


def parsed(seen: Snapshot) -> dict[str, tuple[str, dict[str, str], float]]:
    """Sample name: type, labels, value; each name once."""
    found: dict[str, tuple[str, dict[str, str], float]] = {}
    for family in text_string_to_metric_families(render(seen).decode()):
        for sample in family.samples:
            assert sample.name not in found
            found[sample.name] = (family.type, sample.labels, sample.value)
    return found


def test_names_are_unique_and_ours() -> None:
    """No name twice; counters end in _total, as Prometheus wants it."""
    names = [name for name, _, _ in table()]
    assert len(names) == len(set(names))
    for name, kind, says in table():
        assert name.startswith("walsup_")
        assert name.endswith("_total") == (kind == "counter")
        assert says.endswith(".")


def test_every_metric_is_rendered() -> None:
    """What the table promises is there, with its type, and nothing else."""
    shown = replace(PROTECTED, faults={Subject.BUCKET: FAULT}, attention={Subject.GAP: FAULT})
    found = parsed(replace(shown, disk=WalDisk(full_in_s=60.0), standby=FOLLOWING))
    assert {name: kind for name, (kind, _, _) in found.items()} == {
        name: kind for name, kind, _ in table()
    }


def test_values() -> None:
    """The values are the snapshot's, in base units."""
    found = parsed(replace(PROTECTED, faults={Subject.BUCKET: FAULT}))
    wanted = {
        "walsup_protected": 0,
        "walsup_gate_open": 1,
        "walsup_lag_segments": 2,
        "walsup_lag_bytes": 5 << 20,
        "walsup_lag_seconds": 12.34,
        "walsup_proven_lsn_bytes": 0x1_FF00_0000,
        "walsup_ready_files": 2,
        "walsup_backup_proven": 1,
        "walsup_engine_restarts_total": 2,
        "walsup_agent_restarts_total": 1,
    }
    for name, value in wanted.items():
        assert math.isclose(found[name][2], value), name
    assert found["walsup_fault"][1] == {"subject": "bucket", "kind": "auth"}
    assert parsed(PROTECTED)["walsup_protected"][2] == 1
    attention = parsed(replace(PROTECTED, attention={Subject.GAP: FAULT}))
    assert attention["walsup_attention"][1] == {"subject": "gap", "kind": "auth"}
    assert attention["walsup_protected"][2] == 1


def test_what_is_not_known_is_absent() -> None:
    """An unknown lag is no lag of 0."""
    found = parsed(STARTING)
    assert not [name for name in found if name.startswith("walsup_lag")]
    assert "walsup_proven_lsn_bytes" not in found
    assert "walsup_fault" not in found
    assert found["walsup_protected"][2] == 0


@given(st.text(st.characters(exclude_categories=["Cs"])))
def test_labels_are_read_as_they_are(subject: str) -> None:
    """Whatever a subject has in it: quotes, backslashes, ends of lines."""
    text = render(replace(PROTECTED, faults={cast("Subject", subject): FAULT})).decode()
    (read,) = (one for one in text_string_to_metric_families(text) if one.name == "walsup_fault")
    assert [one.labels["subject"] for one in read.samples] == [subject]

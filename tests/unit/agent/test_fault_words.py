"""Each class of fault is shown in the same words by log, status, readiness and metrics."""

import pytest
from prometheus_client.parser import text_string_to_metric_families

from walsup.agent.board import Board
from walsup.agent.http import health, metrics, status
from walsup.agent.subject import Subject
from walsup.archive.faults import REMEDIES, Fault, FaultKind


@pytest.mark.parametrize("kind", FaultKind)
def test_one_class_in_the_same_words(kind: FaultKind, capfd: pytest.CaptureFixture[str]) -> None:
    """With what happened, and one line of what to do."""
    board = Board("s3://bucket/prefix")
    board.fault(Subject.BACKUP, Fault(kind=kind, problem="what happened"))
    seen = board.snapshot
    remedy = REMEDIES[kind]
    assert "\n" not in remedy
    shown = status.as_json(seen)["faults"]["backup"]
    assert (shown["kind"], shown["problem"], shown["remedy"]) == (kind, "what happened", remedy)
    assert any(f"backup: {kind}: what happened; {remedy}" == r for r in health.ready(seen).reasons)
    assert f"backup: {kind}: what happened; {remedy}" in status.as_text(status.as_json(seen))
    labels = [
        sample.labels
        for family in text_string_to_metric_families(metrics.render(seen).decode())
        for sample in family.samples
        if sample.name == "walsup_fault"
    ]
    assert labels == [{"subject": "backup", "kind": kind}]
    logged = capfd.readouterr().err
    assert kind in logged
    assert "what happened" in logged
    assert remedy[:20] in logged

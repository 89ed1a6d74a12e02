"""Whether log, /status, readiness and metric tell of a fault in the same words."""

from typing import Any

from prometheus_client.parser import text_string_to_metric_families

from dev.harness.checks.witness import status
from dev.harness.processes.walsup import Walsup


def told_alike(one: Walsup, subject: str, kind: str) -> dict[str, Any] | None:
    """The fault of this subject and class as all four tell it; None: not (yet) all of them.

    What happened may be told anew in other words while the class is the same; the log has the
    first.
    """
    fault: dict[str, Any] | None = status(one).get("faults", {}).get(subject)
    if fault is None or fault["kind"] != kind:
        return None
    logged = [event for event in one.events("fault.appeared") if event["subject"] == subject]
    line = f"{subject}: {kind}: {fault['problem']}; {fault['remedy']}"
    _, ready = one.http("/readyz")
    labels = [
        sample.labels
        for family in text_string_to_metric_families(one.http("/metrics")[1])
        for sample in family.samples
        if sample.name == "walsup_fault"
    ]
    alike = (
        logged
        and (logged[-1]["kind"], logged[-1]["remedy"]) == (kind, fault["remedy"])
        and logged[-1]["problem"]
        and line in ready["reasons"]
        and {"subject": subject, "kind": kind} in labels
    )
    return fault if alike else None

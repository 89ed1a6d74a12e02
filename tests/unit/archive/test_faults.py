"""Classes of faults: their words are a contract, and none is without a remedy."""

import json
from pathlib import Path

import pytest

from walsup.agent.pid1_link import Pid1Link
from walsup.archive.faults import REMEDIES, Fault, FaultKind

WORDS = """
auth;no rights;clock skew;dns;tls;refused;timeout;throttled;archive full;no S3 server;server error
no bucket;wrong region;overwrite conflict;not the owner;owner removed;bucket ahead
no conditional writes;address in use;same device;disk full;out of memory;engine missing
engine unable;engine disagrees;engine broken;left out;not continued;hole;damaged
base backup damaged;foreign timeline;not following;tablespace;process stopped;log;database login
no private key;commits wait;database setting;collation;unknown
"""


def test_the_words_stay() -> None:
    """Alerts and dashboards compare them: one may be added, none may change."""
    words = WORDS.strip().replace("\n", ";").split(";")
    assert set(words) <= {str(kind) for kind in FaultKind}
    assert json.loads(json.dumps({"kind": FaultKind.NO_S3_SERVER})) == {"kind": "no S3 server"}
    assert f"{FaultKind.NO_S3_SERVER}" == "no S3 server"


def test_each_class_has_a_remedy() -> None:
    """And no remedy is without its class."""
    assert set(REMEDIES) == set(FaultKind)
    assert all(REMEDIES.values())


@pytest.mark.parametrize("written", ["of a later version", "AUTH", "", "hole\n"])
def test_a_stored_class_that_is_not_known_is_shown(written: str) -> None:
    """As a fault of the class `unknown`, with a remedy, and never as an error of the probe."""
    fault = Fault(FaultKind.of(written), "what happened")
    assert fault.kind is FaultKind.UNKNOWN
    assert fault.cure == REMEDIES[FaultKind.UNKNOWN]
    assert FaultKind.of("hole") is FaultKind.HOLE


def test_the_class_in_pid_1s_state_file_may_be_another_versions(tmp_path: Path) -> None:
    """Prepare's words come to the agent through that file."""
    (tmp_path / "state").write_text("phase=preparing\nwaits_kind=new one\nwaits_problem=late\n")
    pid1 = Pid1Link(tmp_path, None)
    pid1.read()
    assert pid1.waits == Fault(FaultKind.UNKNOWN, "late")
    (tmp_path / "state").write_text("phase=preparing\nwaits_kind=dns\nwaits_problem=late\n")
    pid1.read()
    assert pid1.waits == Fault(FaultKind.DNS, "late")

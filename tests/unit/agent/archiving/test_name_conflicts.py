"""Names ahead of the position: another program's, or segments that are just finished."""

import asyncio
import json
from pathlib import Path

import pytest

from tests.unit.archive.test_valid_keys import SIZE, Shelf
from walsup.agent.archiving.name_conflicts import Ahead, Conflicts
from walsup.agent.context import AgentContext
from walsup.agent.lag_meter import WritePosition
from walsup.agent.subject import Subject
from walsup.archive.catalog.listing import Run
from walsup.archive.engine.adapter import Engine
from walsup.archive.faults import Fault, FaultKind
from walsup.archive.storage.bucket import Bucket
from walsup.postgres.wal import Segment

MARK = Segment(timeline=1, number=4, size=SIZE)
NEXT = MARK.next()
REACHED = WritePosition(1, NEXT.start_lsn + 8)
# In place of an engine; "wal-fetch NAME TARGET" copies what the archive has.
ENGINE = """#!/bin/sh
while [ "$1" != wal-fetch ]; do shift; done
exec cp "$(dirname "$0")/archived/$2" "$3"
"""


@pytest.fixture
def context(tmp_path: Path) -> AgentContext:
    """A data directory with the next segment in pg_wal, the same bytes in the archive."""
    pgdata = tmp_path / "data"
    (pgdata / "pg_wal" / "archive_status").mkdir(parents=True)
    (pgdata / "pg_wal" / NEXT.name).write_bytes(b"own")
    (tmp_path / "archived").mkdir()
    (tmp_path / "archived" / NEXT.name).write_bytes(b"own")
    environment = {"PGDATA": str(pgdata), "WALSUP_ARCHIVE": "file:///archive"}
    content = {"boot": "b", "pgdata": str(pgdata), "environment": environment}
    (tmp_path / "agent.json").write_text(json.dumps(content))
    program = tmp_path / "engine"
    program.write_text(ENGINE)
    program.chmod(0o755)
    context = AgentContext(tmp_path, None)
    context.session.engine = Engine(name="walrus", program=program, client=None)
    return context


def _list(context: AgentContext, conflicts: Conflicts, *, times: int = 2) -> str:
    """Return the fault after so many listings that show the next segment too early."""
    bucket: Bucket = Shelf([f"wal_005/{NEXT.name}.zst"])  # type: ignore[assignment]

    async def go() -> None:
        for _ in range(times):
            await conflicts.note(bucket, Run(MARK, beyond=(NEXT,)), REACHED, REACHED.lsn)

    asyncio.run(go())
    fault = context.board.snapshot.faults.get(Subject.NAMES)
    return f"{fault.fault.problem} {fault.fault.remedy}" if fault else ""


def _status(context: AgentContext, suffix: str) -> None:
    (context.settings.pgdata / "pg_wal" / "archive_status" / f"{NEXT.name}{suffix}").touch()


@pytest.mark.parametrize("suffix", [".ready", ".done"])
def test_a_segment_whose_fsync_is_slow_is_no_conflict(context: AgentContext, suffix: str) -> None:
    """It is archived before the server's position shows it; the bytes are its own."""
    _status(context, suffix)
    conflicts = Conflicts(context)
    assert _list(context, conflicts, times=3) == ""
    assert not conflicts.is_unsure


@pytest.mark.parametrize("suffix", [".ready", ".done", ".other"])
def test_another_object_ahead_of_the_server_is_a_conflict(
    context: AgentContext, suffix: str
) -> None:
    """By its bytes; one of a segment that the server has not finished without looking at them."""
    _status(context, suffix)
    conflicts = Conflicts(context)
    if suffix != ".other":
        (context.run_dir / "archived" / NEXT.name).write_bytes(b"not")
    assert _list(context, conflicts, times=1) == ""
    assert conflicts.is_unsure
    found = _list(context, conflicts)
    assert f"another program has written segment {NEXT.name}" in found
    assert "remove the object" in found
    assert ("its bytes differ" in found) == (suffix != ".other")


def test_an_object_that_cannot_be_compared_is_not_to_be_removed(context: AgentContext) -> None:
    """It is looked at again, and told after a while, without such advice."""
    _status(context, ".done")
    context.session.engine = Fault(FaultKind.ENGINE_MISSING, "it is not on PATH")
    conflicts = Conflicts(context)
    assert _list(context, conflicts) == ""
    assert conflicts.is_unsure
    assert not Ahead(None, 100.0, 129.0).is_told
    assert Ahead(None, 100.0, 130.0).is_told
    conflicts._ahead[NEXT.name] = Ahead(None, 100.0, 130.0)  # noqa: SLF001
    fault = conflicts.fault((), REACHED.lsn)
    assert fault
    assert "could not be compared with pg_wal" in fault.problem
    assert "remove the object" not in fault.remedy

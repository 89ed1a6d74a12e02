"""What the agent pushes itself while a foreign `.ready` stops postgres's archiver."""

import asyncio
import json
from pathlib import Path
from types import SimpleNamespace

import pytest

from tests.unit.archive.test_valid_keys import SIZE
from walsup.agent.context import AgentContext
from walsup.agent.lag_meter import Meter
from walsup.agent.loops.unknown_timelines import push_own
from walsup.archive.engine.adapter import Engine
from walsup.archive.ownership.lease import now_s
from walsup.postgres.wal import Segment
from walsup.postgres.wal_files.ready_files import Ready

MARK = Segment(timeline=2, number=4, size=SIZE)
FIRST = MARK.next()
SECOND = FIRST.next()
HISTORY = "00000002.history"
FOUND = Ready(own=(HISTORY, MARK.name, FIRST.name, SECOND.name), foreign=("00000009.history",))
# In place of an engine: writes down what is pushed; a push of what is in "failing" fails.
ENGINE = """#!/bin/sh
for path; do :; done
cd "$(dirname "$0")"
basename "$path" >> pushed
! grep -qsxF "$(basename "$path")" failing
"""


@pytest.fixture
def context(tmp_path: Path) -> AgentContext:
    """One that holds the archive, with a segment proven."""
    environment = {"PGDATA": str(tmp_path / "data"), "WALSUP_ARCHIVE": "file:///archive"}
    content = {"boot": "b", "pgdata": str(tmp_path / "data"), "environment": environment}
    (tmp_path / "agent.json").write_text(json.dumps(content))
    program = tmp_path / "engine"
    program.write_text(ENGINE)
    program.chmod(0o755)
    context = AgentContext(tmp_path, None)
    context.session.engine = Engine(name="walrus", program=program, client=None)
    context.session.meter = Meter(MARK)
    context.session.lease = SimpleNamespace(until_s=now_s() + 1000.0)  # type: ignore[assignment]
    return context


def _pushed(context: AgentContext, due_s: dict[str, float]) -> list[str]:
    """Return what one pass pushes, or tries to."""
    (context.run_dir / "pushed").write_text("")
    asyncio.run(push_own(context, FOUND, due_s))
    return (context.run_dir / "pushed").read_text().split()


def test_what_was_pushed_is_not_pushed_again(context: AgentContext) -> None:
    """A segment is, when the listing does not show it after a while."""
    due_s: dict[str, float] = {}
    assert _pushed(context, due_s) == [HISTORY, FIRST.name, SECOND.name]
    assert context.session.swept == {HISTORY, FIRST.name, SECOND.name}
    assert _pushed(context, due_s) == []
    due_s[FIRST.name] = 0.0
    assert _pushed(context, due_s) == [FIRST.name]


def test_a_history_file_that_fails_does_not_hold_up_the_segments(context: AgentContext) -> None:
    """It is tried again later; after a segment that fails none follows."""
    due_s: dict[str, float] = {}
    (context.run_dir / "failing").write_text(f"{HISTORY}\n{FIRST.name}\n")
    assert _pushed(context, due_s) == [HISTORY, FIRST.name]
    assert _pushed(context, due_s) == [FIRST.name]
    assert not context.session.swept
    (context.run_dir / "failing").unlink()
    due_s[HISTORY] = 0.0
    assert _pushed(context, due_s) == [HISTORY, FIRST.name, SECOND.name]

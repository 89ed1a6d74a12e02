"""What a stop pushes, when part of what waits is in the archive already."""

import asyncio
import json
from pathlib import Path
from types import SimpleNamespace

import pytest

from tests.unit.ownership.memory_bucket import MemoryBucket
from tests.unit.ownership.net import Store
from walsup.agent.context import AgentContext
from walsup.agent.stopping.final_push import FinalPush
from walsup.archive.engine.adapter import Engine
from walsup.archive.ownership.lease import now_s

LISTED, ABSENT = (f"00000001000000000000000{n}" for n in (2, 3))
HISTORY = "00000002.history"
KEYS = Path(__file__).parents[3] / "keys"
# In place of an engine: writes down what is pushed.
ENGINE = """#!/bin/sh
for path; do :; done
basename "$path" >> "$(dirname "$0")/pushed"
"""


class Listing(MemoryBucket):
    """An archive in memory, whose objects are all complete."""

    async def settle(self, _key: str) -> bool:
        """Return that a listed object is complete."""
        return True


def _pushes(tmp_path: Path, key: str, times: int = 1) -> list[str]:
    """Return what a stop pushes with this key."""
    ready = tmp_path / "data" / "pg_wal" / "archive_status"
    ready.mkdir(parents=True)
    for name in (HISTORY, LISTED, ABSENT):
        (ready / f"{name}.ready").touch()
    environment = {
        "PGDATA": str(tmp_path / "data"),
        "WALSUP_ARCHIVE": "file:///archive",
        "WALG_PGP_KEY_PATH": str(KEYS / f"{key}.asc"),
    }
    content = {"boot": "b", "pgdata": str(tmp_path / "data"), "environment": environment}
    (tmp_path / "agent.json").write_text(json.dumps(content))
    program = tmp_path / "engine"
    program.write_text(ENGINE)
    program.chmod(0o755)
    context = AgentContext(tmp_path, None)
    context.session.engine = Engine(name="wal-g", program=program, client=None)
    lease = SimpleNamespace(until_s=now_s() + 1000.0, is_held=True)
    context.session.lease = lease  # type: ignore[assignment]
    store = Store()
    for name in (HISTORY, LISTED):
        store.objects[f"wal_005/{name}.lz4"] = b"x"
    sweep = FinalPush(context, Listing(store), now_s() + 1000.0)  # type: ignore[arg-type]
    for _ in range(times):
        asyncio.run(sweep.push_ready())
    return (tmp_path / "pushed").read_text().split()


def test_what_the_archive_has_is_not_pushed(tmp_path: Path) -> None:
    """It is compared with pg_wal before it counts."""
    assert _pushes(tmp_path, "rsa-private") == [ABSENT]


@pytest.mark.parametrize("key", ["rsa-public", "rsa-locked"])
def test_a_listed_segment_that_cannot_be_compared_is_pushed_once(tmp_path: Path, key: str) -> None:
    """Otherwise it would never count. The engine does not write over a history file."""
    pushed = _pushes(tmp_path, key, times=2)
    assert pushed.count(LISTED) == 1
    assert HISTORY not in pushed

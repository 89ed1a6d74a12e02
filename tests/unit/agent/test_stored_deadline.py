"""The deadline in the run directory: what is noted, also where there is no room any more."""

import math
from pathlib import Path

from walsup.agent.stored_deadline import StoredDeadline
from walsup.archive.lease_terms import HOLDER_LEASES
from walsup.archive.ownership import write_deadline
from walsup.archive.ownership.write_deadline import FILE, MEMORY, WriteDeadline

L = 10.0


def _agent(run_dir: Path, *, alone: bool = False) -> StoredDeadline:
    """An agent of this start."""
    return StoredDeadline(WriteDeadline(L, alone=alone), run_dir, L, "this boot")


def _renew(agent: StoredDeadline, at_s: float) -> tuple[str, ...]:
    listed = agent.renews()
    agent.renewed(at_s, listed)
    return listed


def _no_room_for(path: Path) -> None:
    """What is to be written there raises OSError, whoever runs the test."""
    path.unlink(missing_ok=True)
    path.mkdir()


def test_a_full_directory_is_written_in_place(tmp_path: Path) -> None:
    """What a renewal notes takes no file and no block that the start has not made."""
    agent = _agent(tmp_path)
    before = {
        p: (p.stat().st_ino, p.stat().st_blocks, p.stat().st_size) for p in tmp_path.iterdir()
    }
    assert {p.name for p in before} == {FILE, MEMORY}
    agent.streaming = frozenset({"b", "c"})
    assert _renew(agent, 100.0) == ("b", "c")
    assert write_deadline.read(tmp_path) == 100 + HOLDER_LEASES * L
    agent.streaming = frozenset({"c"})
    assert _renew(agent, 110.0) == ("c",)
    after = {p: (p.stat().st_ino, p.stat().st_blocks, p.stat().st_size) for p in tmp_path.iterdir()}
    assert after == before
    again = _agent(tmp_path)
    assert again.deadline.heirs == {"c"}
    assert again.deadline.until_s == 110 + HOLDER_LEASES * L


def test_a_standby_that_cannot_be_noted_is_not_listed(tmp_path: Path) -> None:
    """The lease is renewed with those that the next agent knows of."""
    agent = _agent(tmp_path)
    agent.streaming = frozenset({"b"})
    _renew(agent, 100.0)
    _no_room_for(tmp_path / MEMORY)
    agent.streaming = frozenset({"b", "c"})
    assert _renew(agent, 110.0) == ("b",)
    assert agent.deadline.heirs == {"b"}
    assert write_deadline.read(tmp_path) == 110 + HOLDER_LEASES * L
    (tmp_path / MEMORY).rmdir()
    assert _renew(agent, 120.0) == ("b", "c")


def test_without_a_file_for_the_deadline_no_standby_is_listed(tmp_path: Path) -> None:
    """PID 1 could not end a primary in whose place one was promoted."""
    nowhere = tmp_path / "gone"
    agent = _agent(nowhere)
    agent.streaming = frozenset({"b"})
    assert _renew(agent, 100.0) == ()
    assert agent.deadline.until_s == math.inf
    nowhere.mkdir()
    assert _renew(agent, 110.0) == ("b",)
    assert write_deadline.read(nowhere) == 110 + HOLDER_LEASES * L


def test_a_deadline_that_could_not_be_written_is_written_later(tmp_path: Path) -> None:
    """Until then the earlier one stands."""
    agent = _agent(tmp_path, alone=True)
    _renew(agent, 100.0)
    kept = (tmp_path / FILE).read_bytes()
    _no_room_for(tmp_path / FILE)
    _renew(agent, 110.0)
    (tmp_path / FILE).rmdir()
    (tmp_path / FILE).write_bytes(kept)
    agent.write()
    assert write_deadline.read(tmp_path) == 110 + HOLDER_LEASES * L


def test_a_deadline_that_is_there_stays_when_its_file_is_to_be_made(tmp_path: Path) -> None:
    """`walsup promote` may have put one there."""
    write_deadline.put(tmp_path, 77.0, L)
    _agent(tmp_path)
    assert write_deadline.read(tmp_path) == 77.0
    assert not list(tmp_path.glob("*.new"))

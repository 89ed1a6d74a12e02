"""The engine's share of memory, and the command that holds it to that."""

import subprocess

import pytest

from walsup.archive.engine.memory_budget import COSTS, Room, share

MIB = 1 << 20
GIB = 1 << 30


@pytest.mark.parametrize(
    ("name", "limit", "buffers", "wanted", "uploads", "warns"),
    [
        ("walrus", 256 * MIB, 128 * MIB, "", 1, True),  # works all the same: the least is given
        ("walrus", 256 * MIB, 64 * MIB, "", 1, False),
        ("walrus", 512 * MIB, 128 * MIB, "", 4, False),
        ("walrus", 64 * GIB, 16 * GIB, "", 4, False),
        ("wal-g", 256 * MIB, 128 * MIB, "", 1, True),
        ("wal-g", 512 * MIB, 128 * MIB, "", 1, False),
        ("wal-g", 1 * GIB, 256 * MIB, "", 3, False),
        ("wal-g", 64 * GIB, 16 * GIB, "", 4, False),
        ("wal-g", 64 * GIB, 63 * GIB, "", 1, True),
        ("wal-g", 64 * GIB, 16 * GIB, "16", 16, False),
        ("wal-g", 512 * MIB, 128 * MIB, "16", 16, True),
        ("walrus", 256 * MIB, 64 * MIB, "4", 4, True),
        ("walrus", 2 * GIB, 128 * MIB, "0", 4, False),
        ("walrus", 2 * GIB, 128 * MIB, "many", 4, False),
    ],
)
@pytest.mark.rule("probes-do-not-kill")
def test_uploads_from_the_limit(  # noqa: PLR0913 (columns of the table)
    name: str, limit: int, buffers: int, wanted: str, uploads: int, *, warns: bool
) -> None:
    """What is left beside shared_buffers and the reserve decides; the operator's word wins."""
    found = share(name, limit, buffers, wanted)
    assert found.uploads == uploads
    assert bool(found.warning) == warns
    assert found.knobs()["WALG_UPLOAD_CONCURRENCY"] == str(uploads)


@pytest.mark.parametrize("name", COSTS)
@pytest.mark.parametrize("limit_mib", [1, 128, 256, 512, 1024, 4096, 1 << 20])
@pytest.mark.rule("probes-do-not-kill")
def test_there_is_always_a_bound_that_the_engine_can_work_in(name: str, limit_mib: int) -> None:
    """Never less than it needs to work; WAL-G is told a soft limit, which WAL-RUS has none of."""
    found = share(name, limit_mib * MIB, 128 * MIB)
    cost = COSTS[name]
    assert found.hard_bytes >= cost.least + cost.spread
    assert bool(found.soft_bytes) == (name == "wal-g")
    assert found.hard_bytes > found.soft_bytes


@pytest.mark.parametrize("limit", [256 * MIB, 4 * GIB, 64 * GIB])
@pytest.mark.rule("probes-do-not-kill")
def test_wal_g_s_parts_are_small(limit: int) -> None:
    """Its daemon would keep buffers of 20 MiB a part while it rests."""
    assert share("wal-g", limit, 128 * MIB).knobs()["S3_MAX_PART_SIZE"] == "5242880"
    assert "S3_MAX_PART_SIZE" not in share("walrus", 256 * MIB, 128 * MIB).knobs()


@pytest.mark.rule("probes-do-not-kill")
def test_the_command_bounds_itself_and_becomes_the_program() -> None:
    """Arguments go through as they are; the process is the same one."""
    room = Room(soft_bytes=5 * MIB, hard_bytes=77 * MIB)
    program = ["/bin/sh", "-c", 'cat /proc/self/oom_score_adj; ulimit -d; echo $GOMEMLIMIT "$@"']
    argv = room.bound([*program, "sh", "a b", "$c", ""], 901)
    done = subprocess.run(argv, check=True, capture_output=True, text=True)
    assert done.stdout.splitlines() == ["901", str(77 * 1024), "5242880 a b $c "]
    assert done.stderr == ""


@pytest.mark.rule("probes-do-not-kill")
def test_no_room_planned_means_the_bare_command() -> None:
    """Prepare and the benchmarks know of no limit."""
    assert Room().bound(["/e", "x"], 900) == ["/e", "x"]

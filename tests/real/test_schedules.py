"""Two and three containers on one archive in random schedules: one writer, and no dead end."""

import os
import random
from pathlib import Path

import pytest

from dev.harness import Machine, S3Server
from dev.harness.checks.archive_watch import ArchiveWatch
from dev.harness.checks.segment_proof import foreign_segments
from dev.harness.scenarios import fleet as fleets
from dev.harness.scenarios.restore_by_hand import restored
from dev.harness.scenarios.schedule import Schedule

_ROWS = "select count(*), coalesce(sum(n), 0), coalesce(max(n), 0) from ledger"


@pytest.fixture(scope="module")
def template(machine: Machine, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A stopped database that has never had an archive."""
    return fleets.template(machine, tmp_path_factory.mktemp("template") / "data")


def _run(  # noqa: PLR0913 (each is one fact)
    machine: Machine, s3: S3Server, template: Path, engine: str, seed: int, *, actions: int
) -> str:
    """One schedule; gives its figures."""
    chance = random.Random(seed)
    size = chance.choice((2, 2, 3))
    fleet = fleets.Fleet(
        machine,
        s3,
        engine=engine,
        prefix=f"sched-{seed}-{os.getpid()}",
        template=template,
        size=size,
    )
    watch = ArchiveWatch(s3, fleet.prefix, fleet.nodes)
    schedule = Schedule(fleet, watch, seed)
    try:
        watch.start()
        try:
            schedule.run(actions)
        finally:
            watch.stop()
        assert watch.violations == []
        compared, foreign = foreign_segments(fleet, watch)
        assert foreign == []
        rows = _restored(fleet, schedule) if chance.random() < 0.3 else "-"
    except BaseException as raised:
        told = "\n".join(schedule.told)
        logs = "\n".join(f"== {node.name}\n{node.walsup.tail()}" for node in fleet.nodes)
        raised.add_note(f"seed {seed}, {engine}\n{told}\n{watch.violations}\n{logs}")
        raise
    finally:
        fleet.close()
    return (
        f"seed {seed} {engine} nodes {size} owners {watch.order_of_owners()} segments {compared}"
        f" samples {watch.samples} restored {rows} ways {schedule.ways}"
    )


def _restored(fleet: fleets.Fleet, schedule: Schedule) -> str:
    """What the last owner holds is what its archive gives."""
    if schedule.final is None:
        return "nobody owns it"
    one = schedule.final.walsup
    held = one.psql(_ROWS)
    assert one.stop() == 0
    assert restored(one, one.engine, fleet.scratch_of_database() / "restored", _ROWS) == held
    return held


@pytest.mark.parametrize("seed", [8, 11])
@pytest.mark.rule("one-owner")
def test_a_short_schedule_has_one_writer_and_no_dead_end(
    machine: Machine, s3: S3Server, template: Path, seed: int
) -> None:
    """The soak's body, on one engine."""
    print(_run(machine, s3, template, machine.engines[-1], seed, actions=5))  # noqa: T201


def _soak() -> list[tuple[int, str]]:
    first = int(os.environ.get("WALSUP_DEV_SEED", "1000"))
    count = int(os.environ.get("WALSUP_DEV_SCHEDULES", "100"))
    return [(first + i, "wal-g" if i % 5 == 4 else "walrus") for i in range(count)]


@pytest.mark.soak
@pytest.mark.timeout(240)
@pytest.mark.parametrize(("seed", "carrier"), _soak())
@pytest.mark.rule("one-owner")
def test_a_hundred_schedules_have_one_writer_and_no_dead_end(
    machine: Machine, s3: S3Server, template: Path, seed: int, carrier: str
) -> None:
    """Every fifth with WAL-G, the others with WAL-RUS."""
    assert carrier in machine.engines
    print(_run(machine, s3, template, carrier, seed, actions=10))  # noqa: T201

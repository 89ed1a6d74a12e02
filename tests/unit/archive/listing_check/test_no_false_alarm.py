"""A day in simulated time, in which nothing goes wrong: no round finds anything."""

import pytest

from tests.unit.archive.listing_check.simulated import SIZE, Database, Store
from walsup.agent.audit import restore_window
from walsup.agent.audit.ledger import State, compared
from walsup.archive.catalog.scope import Scope
from walsup.archive.listing_check.findings import RoundFindings
from walsup.archive.listing_check.worker import look

_DAY_S = 86400.0


class Watch:
    """Carries what is remembered from round to round, as the agent does."""

    def __init__(self, database: Database) -> None:
        self._database = database
        self._state = State(archive="s3://b/a", system_id=7)
        self._found = RoundFindings()
        self.reads = self.rounds = 0

    async def round(self) -> None:
        """Look, and expect nothing that an operator would be told."""
        scope = self._database.scope(
            last=self._state.last,
            reread=self._state.reread,
            blocks=self._state.blocks,
            accepted=self._state.accepted,
            known=self._state.known | self._state.accepted,
            backups={one.name: one for one in self._found.backups},
            window=self._found.begin,
        )
        found = await self._look(scope)
        if found.missing:
            again = await self._look(scope)
            missing = restore_window.both(again.missing, found.missing)
            assert missing == found.missing or len(missing) <= len(found.missing)
            found = again
        judged = restore_window.evaluate(scope, found, found.missing, (), since_lsn=0, fresh="")
        assert judged.gaps == ()
        assert judged.unfit == {}
        assert (found.damaged, found.twice, found.branches) == ((), (), ())
        assert {one.why for one in found.suspects} <= {"order"}
        for suspect in found.suspects:
            self._state.accepted[suspect.name] = suspect.stamp
        self.reads += len(found.suspects)
        self.rounds += 1
        self._state, self._found = compared(self._state, scope, found, -1), found
        for name in scope.known:
            self._database.verified.pop(name, None)

    async def _look(self, scope: Scope) -> RoundFindings:
        return await look(self._database.store, scope)  # type: ignore[arg-type]

    def restart(self) -> None:
        """Lose what only the agent's memory had."""
        self._database.verified.clear()


@pytest.mark.parametrize("seed", range(3))
async def test_a_day_without_a_fault_finds_nothing(seed: int) -> None:
    """Idle hours, bursts, late uploads, restarts, promotions, base backups, retention."""
    database = Database(Store(), seed)
    database.write(1, takes_s=1.0)
    database.back_up()
    watch = Watch(database)
    ends = database.now + _DAY_S
    while database.now < ends:
        match database.chance.choices(
            ("idle", "trickle", "burst", "restart", "promote", "backup", "retain"),
            (10, 20, 10, 4, 0.5, 3, 3),
        )[0]:
            case "idle":
                database.now += database.chance.choice((60.0, 600.0, 3600.0))
            case "trickle":
                database.write(database.chance.randint(1, 5), takes_s=300.0)
            case "burst":
                database.write(database.chance.randint(20, 150), takes_s=60.0)
            case "restart":
                watch.restart()
            case "promote":
                database.promote()
            case "backup":
                database.back_up()
            case "retain":
                database.retain(2, while_listed=database.chance.random() < 0.5)
        database.now += database.chance.choice((0.0, 15.0))
        await watch.round()
    assert watch.rounds > 20
    assert watch.reads < database.number / 10


async def test_the_same_day_with_one_object_gone_finds_it() -> None:
    """The simulation is one in which something can be found."""
    database = Database(Store(), 0)
    database.back_up()
    database.write(30, takes_s=60.0)
    watch = Watch(database)
    await watch.round()
    del database.store.objects[f"wal_005/{database.segment(20).name}.zst"]
    with pytest.raises(AssertionError, match=database.segment(20).name):
        await watch.round()
    assert database.segment(20).size == SIZE

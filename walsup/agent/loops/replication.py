"""What standbys need of their primary: a role, a line that lets it in, no lost slots.

Made again whenever it is missing, so a restored database has it too. No file of the operator is
edited (S9): a missing line of pg_hba.conf is named. The password is never part of a statement.
"""

import asyncio

import asyncpg

from walsup import log
from walsup.agent.world import World
from walsup.archive.fault import Fault
from walsup.postgres import scram
from walsup.postgres.standing import SLOTS

_FIRST_LOOK_S = 0.5
_EVERY_S = 15.0

_ROLE = "select rolcanlogin and rolreplication, rolpassword from pg_authid where rolname = $1"
# A group or a pattern may mean the role: better silent than wrong.
_LINES = """
select count(*) from pg_hba_file_rules, unnest(user_name) as one
 where error is null and type like 'host%' and 'replication' = any(database)
   and (one in ('all', $1) or left(one, 1) in ('+', '/'))
   and auth_method <> 'reject' and coalesce(address, '') not in ('127.0.0.1', '::1')
"""
_LOST = (
    "select slot_name, pg_drop_replication_slot(slot_name) from pg_replication_slots"
    " where starts_with(slot_name, $1) and not active and wal_status = 'lost' limit 1"
)


async def replication(world: World) -> None:
    """Look every 15 s, on a primary that is to have standbys."""
    known = world.settings
    if known.replication_password is None:
        await world.stopping.wait()
        return
    while not world.stopping.is_set():
        seen = world.board.snapshot.database
        if not seen.observed or seen.role != "primary":
            await asyncio.sleep(_FIRST_LOOK_S)
            continue
        try:
            await _look(world, known.replication_user, known.replication_password)
        except (asyncpg.PostgresError, asyncpg.InterfaceError, OSError, TimeoutError) as raised:
            world.board.fault("replication", _failed(known.replication_user, raised))
        await asyncio.sleep(_EVERY_S)


async def _look(world: World, user: str, password: str) -> None:
    found = await world.sql.row(_ROLE, user)
    if not found or not found[0] or not await asyncio.to_thread(_fits, password, found[1]):
        verifier = await asyncio.to_thread(scram.verifier, password)
        verb = "alter" if found else "create"
        quoted = '"' + user.replace('"', '""') + '"'
        await world.sql.row(f"{verb} role {quoted} login replication password '{verifier}'")
        log.info("replication.role", role=user, done=f"{verb}d" if found else "created")
    if lost := await world.sql.row(_LOST, SLOTS):
        log.warning("slot.dropped", name=lost[0], why="it was lost: max_slot_wal_keep_size")
    if (await world.sql.row(_LINES, user))[0]:
        world.board.clear("replication")
    else:
        world.board.fault("replication", _not_let_in(user))


def _fits(password: str, stored: str | None) -> bool:
    return stored is not None and scram.fits(password, stored)


def _not_let_in(user: str) -> Fault:
    return Fault(
        kind="database login",
        problem=f"pg_hba.conf lets no standby in as {user}",
        remedy="add the line and reload: host replication"
        f" {user} all scram-sha-256 (walsup edits no file of yours)",
    )


def _failed(user: str, raised: BaseException) -> Fault:
    return Fault(
        kind="database login",
        problem=f"the role {user} for standbys cannot be made: {raised}",
        remedy="let the role that walsup logs in as be a superuser, or make it yourself:"
        f" create role {user} login replication",
    )

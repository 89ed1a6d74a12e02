"""Gives standbys what they need of their primary: a role, a pg_hba.conf line, no lost slots.

The role is created whenever it is missing, so a restored database has it too. The operator's files
are not edited: a missing line of pg_hba.conf is a fault. The password is never part of a statement;
its verifier is, in a session that logs nothing.
"""

import asyncio

from walsup import log
from walsup.agent.context import AgentContext
from walsup.agent.subject import Subject
from walsup.archive.faults import Fault, FaultKind
from walsup.errors import WalsupError
from walsup.postgres.sql import scram
from walsup.postgres.sql.connection import UNANSWERED
from walsup.postgres.sql.quoting import identifier, literal
from walsup.postgres.standby_signal import SLOTS

_FIRST_LOOK_S = 0.5
_EVERY_S = 15.0
_SHARED_S = 5.0  # the loop of the bucket's secrets reads at the same interval

_ROLE = (
    "select a.rolcanlogin and a.rolreplication, a.rolpassword from pg_catalog.pg_authid a"
    " where a.rolname operator(pg_catalog.=) $1"
)
# A group or a pattern may include the role: better no fault than a wrong one.
_LINES = """
select pg_catalog.count(*)
  from pg_catalog.pg_hba_file_rules h cross join lateral pg_catalog.unnest(h.user_name) one
 where h.error is null and pg_catalog.starts_with(h.type, 'host')
   and 'replication' operator(pg_catalog.=) any (h.database)
   and (one operator(pg_catalog.=) 'all' or one operator(pg_catalog.=) $1
        or pg_catalog.starts_with(one, '+') or pg_catalog.starts_with(one, '/'))
   and h.auth_method operator(pg_catalog.<>) 'reject'
   and coalesce(h.address, '') operator(pg_catalog.<>) '127.0.0.1'
   and coalesce(h.address, '') operator(pg_catalog.<>) '::1'
"""
_LOST = (
    "select s.slot_name, pg_catalog.pg_drop_replication_slot(s.slot_name)"
    " from pg_catalog.pg_replication_slots s where pg_catalog.starts_with(s.slot_name, $1)"
    " and not s.active and s.wal_status operator(pg_catalog.=) 'lost' limit 1"
)


async def replication(context: AgentContext) -> None:
    """Look every 15 s, on a primary that is to have standbys."""
    settings = context.settings
    if settings.replication_password is None:
        await context.signals.stopping.wait()
        return
    password = settings.replication_password
    while not context.signals.stopping.is_set():
        database = context.board.snapshot.database
        if not database.observed or database.role != "primary":
            await asyncio.sleep(_FIRST_LOOK_S)
            continue
        password = await asyncio.to_thread(_password, context, password)
        try:
            await _look(context, settings.replication_user, password)
        except UNANSWERED as raised:
            context.board.fault(Subject.REPLICATION, _failed(settings.replication_user, raised))
        await asyncio.sleep(_EVERY_S)


def _password(context: AgentContext, before: str) -> str:
    """Return the password in its file now, else the one before."""
    try:
        return context.reload_settings(_SHARED_S).replication_password or before
    except WalsupError:
        return before  # the loop of the bucket's secrets names the file


async def _look(context: AgentContext, user: str, password: str) -> None:
    role = await context.sql.row(_ROLE, user)
    if not role or not role[0] or not await asyncio.to_thread(_fits, password, role[1]):
        verifier = await asyncio.to_thread(scram.verifier, password)
        await _set_role(context, user, verifier, exists=bool(role))
        log.info("replication.role", role=user, done="altered" if role else "created")
    if lost := await context.sql.row(_LOST, SLOTS):
        log.warning("slot.dropped", name=lost[0], why="its WAL exceeded max_slot_wal_keep_size")
    if (await context.sql.row(_LINES, user))[0]:
        context.board.clear(Subject.REPLICATION)
    else:
        context.board.fault(Subject.REPLICATION, _not_let_in(user))


async def _set_role(context: AgentContext, user: str, verifier: str, *, exists: bool) -> None:
    """Create or alter the role; the verifier is enough to log in, so it is not logged."""
    silent = context.secret_sql()
    try:
        if not exists:
            await silent.row(f"create role {identifier(user)}")
        await silent.row(
            f"alter role {identifier(user)} login replication password {literal(verifier)}"
        )
    finally:
        silent.drop()


def _fits(password: str, stored: str | None) -> bool:
    return stored is not None and scram.fits(password, stored)


def _not_let_in(user: str) -> Fault:
    return Fault(
        kind=FaultKind.DATABASE_LOGIN,
        problem=f"pg_hba.conf has no line that lets a standby connect as {user}",
        remedy=f"add this line to pg_hba.conf and reload: host replication {user} all"
        " scram-sha-256 (walsup does not edit your files)",
    )


def _failed(user: str, raised: BaseException) -> Fault:
    return Fault(
        kind=FaultKind.DATABASE_LOGIN,
        problem=f"the role {user} for standbys cannot be created: {raised}",
        remedy="let walsup log in as a superuser, or create the role yourself:"
        f" create role {user} login replication",
    )

"""Finds and reports what base backups leave out of the data directory."""

import asyncio
import os
from collections.abc import Sequence
from pathlib import Path

from walsup import log
from walsup.agent.audit import rounds
from walsup.agent.context import AgentContext
from walsup.agent.subject import Subject
from walsup.archive.faults import Fault, FaultError, FaultKind
from walsup.postgres.backup_exclusions import (
    FILE,
    LINK,
    NAME,
    SOCKET,
    UNREADABLE,
    LeftOut,
    shown,
    walk,
)
from walsup.postgres.tablespaces import uncarried

_MARK = ".walsup-clock"
_COARSE_S = 2.0  # a file system may store timestamps in whole seconds only
_STOPS = {"walrus": (UNREADABLE,), "wal-g": (UNREADABLE, SOCKET, NAME)}


async def look(context: AgentContext) -> tuple[LeftOut, ...]:
    """Walk through the data directory, and show what a base backup would leave out."""
    left_out = tuple(await asyncio.to_thread(walk, context.settings.pgdata))
    context.board.put(left_out=left_out)
    context.board.attend(Subject.LEFT_OUT, _attention(left_out))
    return left_out


def clock(pgdata: Path) -> float | None:
    """Return the time (Unix seconds) of the clock that stamps files of the data directory.

    None: no file can be written there.
    """
    place = pgdata / _MARK
    try:
        with place.open("wb") as file:
            now = os.fstat(file.fileno()).st_ctime
        place.unlink()
    except OSError:
        return None
    return now


async def incomplete(context: AgentContext, name: str) -> Fault | None:
    """Return the fault of a base backup of this run whose list lacks data; None: it lacks none.

    Other files that it lacks are shown. A comparison that fails proves nothing either way.
    """
    began_at = context.session.taken.get(name)
    if began_at is None:
        return None
    try:
        paths = await rounds.unlisted(context, name, began_at - _COARSE_S)
    except FaultError as raised:
        log.warning("backup.not_compared", name=name, problem=raised.fault.problem)
        return None
    lacking = [LeftOut(path, FILE) for path in paths]
    if data := [one for one in lacking if one.is_data]:
        return Fault(
            kind=FaultKind.LEFT_OUT,
            problem=f"base backup {name} does not contain {shown(data)}, which existed before it"
            " began",
            remedy="report it with the engine's version; take a base backup with the other engine",
        )
    if lacking:
        left_out = (*(context.board.snapshot.left_out or ()), *lacking)
        context.board.put(left_out=left_out)
        context.board.attend(Subject.LEFT_OUT, _attention(left_out))
    return None


def _attention(left_out: Sequence[LeftOut]) -> Fault | None:
    """Return what needs attention; links that lead nowhere, and sockets, are no loss."""
    reported = [one for one in left_out if not one.dangling and one.kind != SOCKET]
    if not reported:
        return None
    return Fault(
        kind=FaultKind.LEFT_OUT,
        problem=f"base backups do not contain {shown(reported)}",
        remedy="keep these files with the container's configuration: a restore creates the links"
        " again only if their targets are mounted at the same paths, and otherwise does not start",
    )


def lost_data(left_out: Sequence[LeftOut]) -> Fault | None:
    """Return the fault of data that no base backup holds; None: there is none."""
    data = [one for one in left_out if one.is_data and one.kind == LINK]
    if not data:
        return None
    return Fault(
        kind=FaultKind.LEFT_OUT,
        problem=f"a base backup does not contain {shown(data)}: a restore would lack this data",
        remedy="stop the database, move the data that the links point to back into the data"
        " directory, and start it again; use a tablespace for data on another disk",
    )


async def lost_tablespaces(context: AgentContext, engine: str) -> Fault | None:
    """Return the fault of tablespaces that a restore would lack; None: there are none."""
    tablespaces = await asyncio.to_thread(uncarried.find, context.settings.pgdata, engine)
    if not tablespaces:
        return None
    other = "" if any(one.with_any for one in tablespaces) else ", or use WAL-RUS"
    return Fault(
        kind=FaultKind.LEFT_OUT,
        problem=f"{engine} cannot take a base backup from which all tablespaces are restored: "
        + "; ".join(one.shown for one in tablespaces),
        remedy="create a tablespace in a directory outside PGDATA that is not a link, move the"
        f" relations there (ALTER TABLE … SET TABLESPACE), and drop this one{other}",
    )


def unreadable(left_out: Sequence[LeftOut], engine: str) -> Fault | None:
    """Return the fault of files at which this engine's base backup ends; None: there are none."""
    stopping = [one for one in left_out if one.kind in _STOPS[engine]]
    if not stopping:
        return None
    return Fault(
        kind=FaultKind.LEFT_OUT,
        problem=f"{engine} cannot take a base backup with {shown(stopping)} in the data directory",
        remedy="give unreadable files to the database's user (chown), and move or remove the"
        " others; for a volume's lost+found, set PGDATA to a directory in the volume",
    )

"""Waits when the agent is restarted while a secret file cannot be read, and shows the reason.

Without it the probes of a running database would not answer, and no status would show why.
"""

import asyncio
import json
from pathlib import Path

from walsup import log, settings
from walsup.agent.board import Board
from walsup.agent.context import AgentContext, show_identity
from walsup.agent.http.server import serve, serve_commands
from walsup.agent.pid1_link import Pid1Link
from walsup.agent.snapshot import DatabaseState
from walsup.agent.subject import Subject
from walsup.agent.tasks import forever
from walsup.archive.faults import Fault, FaultKind
from walsup.errors import SettingsError
from walsup.postgres.sql.connection import postmaster

_EVERY_S = 1.0


def fault_of(wrong: SettingsError) -> Fault:
    """Return the fault of settings that can no longer be read."""
    return Fault(
        kind=FaultKind.AUTH,
        problem=" ".join(wrong.problem.split()),
        remedy="restore or correct the file: walsup reads it again every few seconds, and the next"
        " start needs it too",
    )


def answering(
    board: Board, address: settings.HttpAddress, run_dir: Path
) -> "asyncio.Future[tuple[None, None]]":
    """Begin to answer probes and commands."""
    return asyncio.gather(
        forever("http", lambda: serve(board, address)),
        forever("status socket", lambda: serve_commands(board, run_dir)),
    )


async def until_readable(
    run_dir: Path, wire: int | None, wrong: SettingsError
) -> tuple[AgentContext, "asyncio.Future[tuple[None, None]]"]:
    """Answer probes with the fault until the settings can be read; return context and server."""
    content = json.loads((run_dir / "agent.json").read_text(encoding="utf-8"))
    environment: dict[str, str] = content["environment"]
    pgdata, pid1 = Path(content["pgdata"]), Pid1Link(run_dir, wire)
    log.configure(environment.get("WALSUP_LOG_FORMAT", "auto").strip(), "agent")
    board = Board(environment.get("WALSUP_ARCHIVE") or "not known")
    board.fault(Subject.SECRETS, fault_of(wrong))
    show_identity(board, content)
    web = answering(board, settings.http(environment), run_dir)
    while True:
        server = postmaster(pgdata)
        role = "standby" if server and server.status == "standby" else "primary"
        accepting = server is not None and server.accepts
        board.put(init=pid1.read(), database=DatabaseState(accepting=accepting, role=role))
        if accepting:
            board.saw("answer")  # without settings there is no role to ask with
        pid1.beat()
        await asyncio.sleep(_EVERY_S)
        try:
            context = AgentContext(run_dir, wire, board)
        except SettingsError:
            continue
        board.clear(Subject.SECRETS)
        return context, web

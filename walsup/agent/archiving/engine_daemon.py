"""Configures the engine's daemon, and asks PID 1 to start or replace it."""

import asyncio
import time

from walsup import log
from walsup.agent.context import AgentContext
from walsup.agent.states import GateState
from walsup.agent.subject import Subject
from walsup.archive.engine import adapter, decryption, run_once
from walsup.archive.engine.memory_budget import Room
from walsup.archive.ownership.lease import Lease
from walsup.archive.storage.fault_mapping import classify
from walsup.postgres.processes import archiver
from walsup.postgres.sql.connection import postmaster
from walsup.system.private_files import write_private

_LOOK_EVERY_S = 0.002


def render(context: AgentContext, compression: str) -> bool:
    """Write the engine's configuration; return whether it has changed."""
    server = postmaster(context.settings.pgdata)
    region = context.session.bucket.region if context.session.bucket else None
    engine = context.session.engine
    text = adapter.render(
        context.settings._replace(region=region),
        engine=engine.name if isinstance(engine, adapter.Engine) else "",
        compression=compression,
        socket_dir=server.socket_dir if server else str(context.run_dir),
        port=server.port if server else 5432,
        segment_bytes=context.board.snapshot.segment_bytes,
        room=engine.room if isinstance(engine, adapter.Engine) else Room(),
        # Without the private key a push whose answer was lost could never be repeated.
        overwrites=bool(decryption.lacking(context.settings)),
    )
    try:
        if context.engine_config.read_text(encoding="utf-8") == text:
            return False
    except OSError:
        pass
    write_private(context.engine_config, text)
    return True


def launch(context: AgentContext, engine: adapter.Engine, lease: Lease) -> int:
    """Have PID 1 kill the old daemon and start a new one; return its generation."""
    generation = context.session.next_generation(context.board.snapshot.init.engine_generation)
    render(context, lease.owner.compression)
    context.pid1.want_engine(
        generation,
        engine.daemon_argv(context.engine_config, context.engine_socket),
        run_once.environment() | {"PGDATA": str(context.settings.pgdata)},
        lease.until_s,
    )
    return generation


def keep_configuration(context: AgentContext) -> None:
    """Write the engine's configuration again when the file is missing: the engine needs it."""
    lease = context.session.lease
    if lease is not None and lease.is_held and not context.engine_config.exists():
        try:
            render(context, lease.owner.compression)
        except OSError as raised:
            context.board.fault(Subject.ENGINE, classify(raised))
            return
        context.board.clear(Subject.ENGINE)
        log.warning("engine.configured_again", reason=f"{context.engine_config} was missing")


async def until_quiet(context: AgentContext) -> None:
    """Wait for a moment between two pushes, at most as long as one may take."""
    running = context.board.snapshot.init
    found = archiver.find(running.postgres_pid) if running.engine_pid else None
    deadline_s = time.monotonic() + adapter.push_timeout_s(
        context.settings.push_grace_s, context.settings.lease_s
    )
    while found and time.monotonic() < deadline_s:
        if not archiver.is_pushing(found.pid):
            return
        await asyncio.sleep(_LOOK_EVERY_S)


def replace(context: AgentContext, reason: str) -> bool:
    """Replace a daemon that is no longer trusted; return False when there is none to replace.

    Nothing is awaited between the check of the gate and the launch: a daemon that is started
    after archiving was disabled would write into another instance's archive.
    """
    lease = context.session.lease
    if (
        context.board.snapshot.gate.state != GateState.OPEN
        or lease is None
        or not lease.is_held
        or not isinstance(context.session.engine, adapter.Engine)
        or not context.board.snapshot.init.engine_generation
    ):
        return False
    generation = launch(context, context.session.engine, lease)
    log.warning("engine.replaced", reason=reason, generation=generation)
    return True

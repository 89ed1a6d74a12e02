"""Lends temporary keys to the engine, so that a base backup can outlive the keys it began with."""

import asyncio
import contextlib
from collections.abc import AsyncIterator, Mapping
from pathlib import Path

from walsup.agent.context import AgentContext
from walsup.archive.engine import lent_keys
from walsup.archive.engine.adapter import Engine

_LOOK_EVERY_S = 1.0


@contextlib.asynccontextmanager
async def borrowed_keys(
    context: AgentContext, engine: Engine
) -> AsyncIterator[tuple[Path, Mapping[str, str]]]:
    """Provide the engine's configuration and the variables with which it asks for new keys.

    Without temporary keys they are the usual configuration, and no variables.
    """
    config = context.engine_config
    if not context.settings.session_token:  # permanent keys: another try takes the new ones
        yield config, {}
        return
    # In this thread: the lending program dies with the thread that has started it.
    with lent_keys.lent(context.settings, engine.name, config, context.run_dir) as loan:
        if loan is None:
            yield config, {}
            return
        context.session.backup_borrows = True
        following = asyncio.create_task(_follow(context, loan))
        try:
            yield loan.config, loan.environment
        finally:
            following.cancel()
            context.session.backup_borrows = False


async def _follow(context: AgentContext, loan: lent_keys.Loan) -> None:
    """Lend the keys that the agent itself uses, until cancelled."""
    lent = context.settings
    while True:
        await asyncio.sleep(_LOOK_EVERY_S)
        settings = context.settings
        with contextlib.suppress(OSError):  # no process or no room now: it is tried again
            loan.keep_serving()
            if settings != lent:
                loan.put(settings)
                lent = settings

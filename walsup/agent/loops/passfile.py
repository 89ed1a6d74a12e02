"""Follows the password of a standby's primary: its file is written again when it changes.

libpq reads the file at each connection, so postgres needs no reload.
"""

import asyncio

from walsup import log
from walsup.agent.context import AgentContext
from walsup.agent.events import any_set
from walsup.errors import WalsupError
from walsup.postgres.sql import passfile as file
from walsup.settings.renewed import renewed

_EVERY_S = 5.0


async def passfile(context: AgentContext) -> None:
    """Read the settings every 5 s on an instance that has a primary."""
    if context.settings.primary_conninfo is None:
        await context.signals.stopping.wait()
        return
    while not context.signals.stopping.is_set():
        await any_set(context.signals.stopping, timeout_s=_EVERY_S)
        try:
            again = await asyncio.to_thread(context.reload_settings, _EVERY_S)
        except WalsupError:
            continue  # a file is missing for a moment; the loop of the bucket's secrets shows it
        if file.keep(context.run_dir, renewed(context.settings, again)):
            log.info("settings.reloaded", changed=True, of="the primary's password")

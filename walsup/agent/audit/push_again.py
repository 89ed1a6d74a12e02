"""Pushes a segment again that the archive lost or has with other bytes."""

import json
from pathlib import Path

from walsup import log
from walsup.agent.context import AgentContext
from walsup.archive.engine import run_once
from walsup.archive.engine.adapter import Engine
from walsup.archive.ownership.lease import now_s
from walsup.system.private_files import write_private

_PUSH_TIMEOUT_S = 60.0
_CONFIG = "engine-replace.json"


async def push(context: AgentContext, name: str) -> bool:
    """Push it from pg_wal over the object that the archive has; return whether that succeeded.

    No object is deleted: the key may lack the permission. The engine's own guard against
    overwriting is off for this push alone; the caller has compared both sides.
    """
    lease, engine = context.session.lease, context.session.engine
    if lease is None or not lease.is_held or not isinstance(engine, Engine):
        return False
    timeout_s = min(_PUSH_TIMEOUT_S, max(0.0, lease.until_s - now_s()))
    output = context.run_dir / "wal-push-again.log"
    path = context.settings.pgdata / "pg_wal" / name
    code = await run_once.run(engine.push_argv(_config(context), path), output, timeout_s=timeout_s)
    log.warning("segment.pushed_again", name=name, exit_code=code)
    return code == 0


def _config(context: AgentContext) -> Path:
    rendered = json.loads(context.engine_config.read_text(encoding="utf-8"))
    path = context.run_dir / _CONFIG
    write_private(path, json.dumps(rendered | {"WALG_PREVENT_WAL_OVERWRITE": "false"}) + "\n")
    return path

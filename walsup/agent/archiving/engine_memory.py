"""The engine's share of memory, from the container's limit and postgres's shared_buffers."""

import re
from pathlib import Path

from walsup import log
from walsup.archive.engine import memory_budget
from walsup.archive.engine.adapter import Engine
from walsup.archive.engine.memory_budget import Room
from walsup.postgres import config
from walsup.postgres.config_sizes import shared_buffers_bytes
from walsup.settings import Settings
from walsup.system.cgroup import memory_limit_bytes

_WANTED = "WALG_UPLOAD_CONCURRENCY"


def find(settings: Settings, engine: Engine) -> Room:
    """Return and log the engine's share in this start; warn when it is too small."""
    limit_bytes = memory_limit_bytes()
    buffers_bytes = shared_buffers_bytes(
        config.effective(settings.pgdata, _arguments(settings.pgdata)).values.get("shared_buffers")
    )
    room = memory_budget.share(
        engine.name, limit_bytes, buffers_bytes, settings.passed_on.get(_WANTED, "")
    )
    log.info(
        "memory.planned",
        limit_bytes=limit_bytes,
        shared_buffers_bytes=buffers_bytes,
        uploads=room.uploads,
        engine_bytes=room.hard_bytes,
    )
    if room.warning:
        log.warning(
            "memory.tight",
            problem=room.warning,
            remedy="raise the memory limit, or lower shared_buffers or WALG_UPLOAD_CONCURRENCY"
            + ("; WAL-RUS needs less (WALSUP_ENGINE=walrus)" if engine.name == "wal-g" else ""),
        )
    return room


def _arguments(pgdata: Path) -> list[str]:
    """Return the arguments of the running postgres, which it leaves in its data directory.

    Source: PostgreSQL 15, postmaster.c, CreateOptsFile: the program, then each word in quotes.
    """
    try:
        text = (pgdata / "postmaster.opts").read_text(encoding="utf-8", errors="surrogateescape")
    except OSError:
        return []
    return re.findall(r' "(.*?)"(?= "|\n?\Z)', text, re.DOTALL)

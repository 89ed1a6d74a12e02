"""A restore, up to the moment when postgres can recover: checks, fetch, a separate copy.

prepare checks the source, runs backup-fetch into the stage and moves the copy to its place.
postgres recovers, with the engine's client as restore_command. A second daemon, the reader, fetches
for it from the source. The agent decides what misses mean, claims the timeline in the database's
own archive, shows the progress, and ends the reader. Nothing writes into the source.
"""

import asyncio
import os
import time
from collections.abc import Sequence
from pathlib import Path
from typing import NoReturn

from walsup import log
from walsup.archive.catalog.archive_reader import Reader
from walsup.boot import inspect, libraries, staging
from walsup.boot.current_settings import Current
from walsup.boot.existing_cluster import inner_tablespaces, start_files
from walsup.boot.restore import fetch, links, reader_daemon, sanitize
from walsup.boot.restore.archive_source import check_key, configure, reader
from walsup.boot.restore.fetch_progress import Patience
from walsup.boot.restore.preflight import examine
from walsup.boot.restore.restore_plan import (
    Outcome,
    Refusal,
    RestorePlan,
    RestoreRequest,
    refuse_repetition,
)
from walsup.boot.restore.target import target
from walsup.boot.run_program import OneShot
from walsup.datadir import restore_state
from walsup.datadir.restore_state import Restored
from walsup.errors import ArchiveError, DiskFullError
from walsup.pid1_messages import Progress, Send
from walsup.postgres import config
from walsup.settings import Settings, origin

_SECOND_LOOK_S = 0.5


def restore(
    current: Current, one_shot: OneShot, send: Send, arguments: Sequence[str], *, own: bool
) -> None:
    """Fetch the right base backup, and leave a copy that recovers in the data directory.

    `arguments` are postgres's.

    Raises:
        ArchiveError: the archive lacks what it needs; EngineError, DiskFullError.
    """
    began_at = time.time()
    known = current.known
    source = origin(known, own=own)
    send(Progress(f"restore: examining {source.archive}"))
    check_key(source)
    # What a killed fetch has left, in the directories of tablespaces too.
    staging.wipe(known.pgdata)
    patience = Patience(send, current)
    archive = reader(current, one_shot.run_dir, one_shot.lock, own=own, on_fault=patience.wait)
    request = request_from(known, arguments, own=own)
    plan = look_into(archive, request, patience)
    if own:
        plan = refuse_repetition(plan, request.target)
    for warning in plan.warnings:
        log.warning("restore.warning", problem=warning)
    if isinstance(plan, Refusal):
        refuse(str(source.archive), plan)
    log.info(
        "restore.began",
        source=str(source.archive),
        backup=plan.backup.name,
        target=str(request.target),
        timeline=plan.line.timeline,
        segments=plan.segment_count,
    )
    region = archive.bucket.region
    run_dir, size = one_shot.run_dir, plan.first.size
    configure(current, run_dir, own=own, segment_bytes=size, region=region)
    data = fetch.fetch(current, archive, one_shot, plan, patience, own=own)
    # The reader must be up when postgres asks for its first segment, with the current keys.
    source = origin(current.known, own=own)
    reader_daemon.launch(send, archive.engine, source, run_dir, known.pgdata)
    fetch.check(archive, plan.backup, known.pgdata, data)
    links.make(data, known.pgdata, plan.backup.left_out)
    start_files.check(data, known.pgdata, arguments)
    start_files.tighten(data, known.pgdata, arguments)
    method = known.postgres_host_auth_method or "scram-sha-256"
    sanitize.make_own(data, known.postgres_initdb_waldir, method)
    inner_tablespaces.place(known.pgdata, data, plan.backup, archive.engine.name)
    libraries.check(data, known.pg_bindir, arguments)
    found = _memory(known, request, plan, own=own, began_at=began_at, region=region)
    restore_state.write(data, found)
    send(Progress("restore: syncing the copy"))
    one_shot.run("initdb", ["--sync-only", "-D", str(data)])
    staging.complete(known.pgdata)
    staging.finish(known.pgdata)
    log.info("restore.fetched", backup=plan.backup.name, seconds=round(time.time() - began_at, 1))


def request_from(  # noqa: PLR0913 (each is one fact)
    known: Settings,
    arguments: Sequence[str],
    *,
    own: bool,
    disk: bool = True,
    deep: bool = False,
    places: bool = True,
) -> RestoreRequest:
    """Return what the settings request."""
    path = os.environ.get("PATH", "")
    postgres = inspect.program("postgres", known.pg_bindir, path)
    says_itself = {config.PRELOADED, "config_file"} & config.from_arguments(arguments).keys()
    pg_waldump = Path(inspect.program("pg_waldump", known.pg_bindir, path))
    return RestoreRequest(
        target=target(known, own=own),
        backup_name="" if own and known.restore_from else known.restore_backup,
        accept_hole=known.restore_accept_hole,
        major=inspect.binaries_major(postgres),
        pgdata=known.pgdata if disk else None,
        pg_waldump=str(pg_waldump) if pg_waldump.exists() else None,
        pkglibdir=None if says_itself else libraries.folder(known.pg_bindir),
        waldir=known.postgres_initdb_waldir,
        deep=deep,
        places=places,
    )


def look_into(
    archive: Reader,
    request: RestoreRequest,
    patience: Patience,
) -> Outcome:
    """Check the source, again and again until it answers.

    A fault is checked twice: an answer may have been damaged on its way.
    """

    def look() -> Outcome:
        return asyncio.run(examine(archive, request))

    outcome = patience.until_done(look)
    if isinstance(outcome, RestorePlan):
        return outcome
    time.sleep(_SECOND_LOOK_S)
    return patience.until_done(look)


def refuse(source: str, refusal: Refusal) -> NoReturn:
    """Raise every fault that prevents the restore.

    Raises:
        ArchiveError: always, except for
        DiskFullError: a larger volume is all that it needs.
    """
    faults = "\n".join(f"  {fault}" for fault in refusal.faults)
    problem = f"{source} cannot be restored as requested:\n{faults}"
    if refusal.needs_only_room:
        raise DiskFullError(problem, hint="make the volume larger; nothing has been touched")
    raise ArchiveError(
        problem,
        hint="`walsup restore --list` shows backups, timelines and what can be reached; nothing"
        " has been touched",
    )


def _memory(  # noqa: PLR0913 (each is one fact)
    known: Settings,
    request: RestoreRequest,
    plan: RestorePlan,
    *,
    own: bool,
    began_at: float,
    region: str | None,
) -> Restored:
    source = origin(known, own=own)
    return Restored(
        source=str(source.archive),
        own=own,
        backup=plan.backup.name,
        system_id=plan.backup.system_id or 0,
        legs=tuple((leg.timeline, leg.begin_lsn, leg.end_lsn) for leg in plan.line.legs),
        segment_size=plan.first.size,
        first=plan.first.name,
        last=plan.last.name,
        target=str(request.target),
        wish=wish(known, own=own),
        ends=plan.ends,
        region=region,
        accept_hole=request.accept_hole,
        action=request.target.action,
        began_at=began_at,
        limits=plan.limits,
    )


def wish(known: Settings, *, own: bool) -> str:
    """Return the request as one text: a restore that continues under another request is refused."""
    source = known.archive if own else known.restore_from
    return f"{source} to {target(known, own=own)}"

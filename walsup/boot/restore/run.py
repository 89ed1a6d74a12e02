"""A restore, up to the moment when postgres can recover: pre-flight, fetch, a copy of our own.

Who takes part: prepare looks into the source, runs backup-fetch into the stage and moves the copy
to its place; postgres recovers, with the engine's client as restore_command; a second daemon, the
reader, fetches for it out of the source; the agent judges misses, claims the timeline in the own
archive, shows how far it is, and ends the reader. Nothing writes into the source.
"""

import asyncio
import os
import time
from collections.abc import Sequence
from pathlib import Path
from typing import NoReturn

from walsup import log
from walsup.archive.catalog.inventory import Reader
from walsup.archive.faults import FaultError
from walsup.archive.storage.fault_mapping import classify
from walsup.boot import inspect, libraries, staging
from walsup.boot.current_settings import Current
from walsup.boot.existing_cluster import inner_tablespaces, start_files
from walsup.boot.pid1_messages import Send
from walsup.boot.restore import fetch, links, reader_daemon, sanitize
from walsup.boot.restore.archive_source import check_key, configure, reader
from walsup.boot.restore.fetch_progress import Patience
from walsup.boot.restore.preflight import examine
from walsup.boot.restore.report import Asked, Report
from walsup.boot.restore.target import target
from walsup.boot.run_program import OneShot
from walsup.datadir import restore_state
from walsup.datadir.restore_state import Restored
from walsup.errors import ArchiveError, DiskFullError
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
    send({"detail": f"restore: looking into {source.archive}"})
    check_key(source)
    # What a killed fetch has left, in the directories of tablespaces too.
    staging.wipe(known.pgdata)
    patience = Patience(send, current)
    archive = reader(current, one_shot.run_dir, one_shot.lock, own=own, on_fault=patience.wait)
    asked = asks(known, arguments, own=own)
    report = look_into(archive, asked, patience)
    if report.offer and own and _was_done(report, asked):
        report.faults.append(
            f"this archive has been restored to {asked.target} before; what was written since then"
            " would be left behind: take WALSUP_RESTORE_TARGET_… away to restore to the end"
        )
    for warning in report.warnings:
        log.warning("restore.warning", problem=warning)
    if report.faults or not report.backup or not report.line or not report.first:
        refuse(str(source.archive), report)
    log.info(
        "restore.began",
        source=str(source.archive),
        backup=report.backup.name,
        target=str(asked.target),
        timeline=report.line.timeline,
        segments=report.reach.count if report.reach else 0,
    )
    region = archive.bucket.region
    run_dir, size = one_shot.run_dir, report.first.size
    configure(current, run_dir, own=own, segment_bytes=size, region=region)
    data = fetch.fetch(current, archive, one_shot, report, patience, own=own)
    # It is awake when postgres asks for its first segment, with the keys of now.
    source = origin(current.known, own=own)
    reader_daemon.launch(send, archive.engine, source, run_dir, known.pgdata)
    sanitize.check_files(
        data,
        asyncio.run(fetch.absent(archive.bucket, report.backup, data)),
        [number for number, _ in report.backup.tablespaces],
    )
    links.make(data, known.pgdata, report.backup.left_out)
    start_files.check(data, known.pgdata, arguments)
    start_files.tighten(data, known.pgdata, arguments)
    method = known.postgres_host_auth_method or "scram-sha-256"
    sanitize.make_own(data, known.postgres_initdb_waldir, method)
    inner_tablespaces.place(known.pgdata, data, report.backup, archive.engine.name)
    libraries.check(data, known.pg_bindir, arguments)
    found = _memory(known, asked, report, own=own, began_at=began_at, region=region)
    restore_state.write(data, found)
    send({"detail": "restore: syncing the copy"})
    one_shot.run("initdb", ["--sync-only", "-D", str(data)])
    staging.complete(known.pgdata)
    staging.finish(known.pgdata)
    log.info("restore.fetched", backup=report.backup.name, seconds=round(time.time() - began_at, 1))


def asks(  # noqa: PLR0913 (each is one fact)
    known: Settings,
    arguments: Sequence[str],
    *,
    own: bool,
    disk: bool = True,
    deep: bool = False,
    places: bool = True,
) -> Asked:
    """Give what the settings ask for."""
    path = os.environ.get("PATH", "")
    postgres = inspect.program("postgres", known.pg_bindir, path)
    says_itself = {config.PRELOADED, "config_file"} & config.from_arguments(arguments).keys()
    pg_waldump = Path(inspect.program("pg_waldump", known.pg_bindir, path))
    return Asked(
        target=target(known, own=own),
        named="" if own and known.restore_from else known.restore_backup,
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
    asked: Asked,
    patience: Patience,
) -> Report:
    """Look into the source, for ever if it cannot be asked.

    What is to be refused is looked at twice: an answer may have been damaged on its way.
    """
    failures, refused = 0, False
    while True:
        try:
            report = asyncio.run(examine(archive, asked))
        except Exception as raised:  # noqa: BLE001 (any failure is no answer)
            failures += 1
            fault = raised.fault if isinstance(raised, FaultError) else classify(raised)
            asyncio.run(patience.wait(fault, failures))
            continue
        if not report.faults or refused:
            return report
        refused = True
        time.sleep(_SECOND_LOOK_S)


def _was_done(report: Report, asked: Asked) -> bool:
    owner = report.offer.owner if report.offer else None
    done = owner.restored_to if owner else ""
    return asked.target.kind != "end" and done == str(asked.target)


def refuse(source: str, report: Report) -> NoReturn:
    """End with everything that stands against it.

    Raises:
        ArchiveError: always, but for
        DiskFullError: a larger volume is all that it needs.
    """
    faults = report.faults or ["nothing usable was found"]
    problem = f"{source} cannot be restored as asked:\n" + "\n".join(f"  {one}" for one in faults)
    if report.needs_only_room:
        raise DiskFullError(problem, hint="make the volume larger; nothing has been touched")
    raise ArchiveError(
        problem,
        hint="`walsup restore --list` shows backups, timelines and what can be reached; nothing"
        " has been touched",
    )


def _memory(  # noqa: PLR0913 (each is one fact)
    known: Settings,
    asked: Asked,
    report: Report,
    *,
    own: bool,
    began_at: float,
    region: str | None,
) -> Restored:
    backup, line, first, found = report.backup, report.line, report.first, report.reach
    if not backup or not line or not first or not found or not found.end:
        raise ValueError("nothing is chosen")
    source = origin(known, own=own)
    return Restored(
        source=str(source.archive),
        own=own,
        backup=backup.name,
        system_id=backup.system_id or 0,
        legs=tuple((leg.timeline, leg.begin_lsn, leg.end_lsn) for leg in line.legs),
        segment_size=first.size,
        first=first.name,
        last=found.end.name,
        target=str(asked.target),
        wish=wish(known, own=own),
        ends=report.ends,
        region=region,
        accept_hole=asked.accept_hole,
        action=asked.target.action,
        began_at=began_at,
        limits=report.offer.owner.limits if report.offer and report.offer.owner else (),
    )


def wish(known: Settings, *, own: bool) -> str:
    """Give what is asked for as one text: a restore that goes on under another one is refused."""
    source = known.archive if own else known.restore_from
    return f"{source} to {target(known, own=own)}"

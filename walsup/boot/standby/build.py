"""Builds a standby in an empty data directory: from the archive, else from its primary.

The archive is asked first: a base backup in it costs the primary nothing. Without one, and with a
known primary, pg_basebackup takes a copy. Otherwise the start waits for the first base backup.
"""

import asyncio
import os
import time
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path

from walsup import log
from walsup.archive.catalog.archive_reader import Reader
from walsup.archive.engine import decryption
from walsup.archive.faults import Fault, FaultKind
from walsup.boot import inspect, libraries, staging
from walsup.boot.current_settings import Current
from walsup.boot.existing_cluster import inner_tablespaces, start_files
from walsup.boot.restore import fetch, links, run, sanitize
from walsup.boot.restore.archive_source import check_key, configure, reader
from walsup.boot.restore.fetch_progress import Patience
from walsup.boot.restore.restore_plan import Refusal, RestorePlan
from walsup.boot.restore.target import Target
from walsup.boot.run_program import OneShot
from walsup.boot.standby import basebackup
from walsup.errors import VersionError
from walsup.pid1_messages import Progress, Send
from walsup.postgres import standby_signal
from walsup.settings import Settings

_SIGNAL_SINCE = 12


_NO_BACKUP = Fault(
    kind=FaultKind.HOLE,
    problem="the archive has no finished base backup yet",
    remedy="wait until the primary has taken its first base backup; or set"
    " WALSUP_PRIMARY_CONNINFO to copy the primary itself",
)


def build(current: Current, one_shot: OneShot, send: Send, arguments: Sequence[str]) -> None:
    """Leave a standby in the data directory; wait without an end for something to build it from.

    `arguments` are postgres's.

    Raises:
        ArchiveError: the archive lacks what it needs; EngineError, DiskFullError.
    """
    _check_major(current.known)
    failures, patience = 0, Patience(send, current)
    while True:
        began_at, known = time.time(), current.known
        lacking = _NO_BACKUP
        if _reads_archive(known) and (
            data := _from_archive(current, one_shot, patience, arguments)
        ):
            break
        if known.primary_conninfo:
            send(Progress("standby: copying the primary"))
            taken = basebackup.take(known, one_shot, arguments)
            if isinstance(taken, Path):
                data = taken
                break
            lacking = taken
        failures += 1
        asyncio.run(patience.wait(lacking, failures))
    libraries.check(data, known.pg_bindir, arguments)
    send(Progress("standby: syncing the copy"))
    one_shot.run("initdb", ["--sync-only", "-D", str(data)])
    staging.complete(known.pgdata)
    staging.finish(known.pgdata)
    log.info("standby.built", seconds=round(time.time() - began_at, 1))


def _reads_archive(known: Settings) -> bool:
    """Return whether to build from the archive: not when only the primary can be read."""
    if known.archive is None:
        return False
    return not (known.primary_conninfo and decryption.lacking(known))


def _check_major(known: Settings) -> None:
    """Refuse an old server version before anything is made: it would run the copy as a primary."""
    path = os.environ.get("PATH", "")
    major = inspect.binaries_major(inspect.program("postgres", known.pg_bindir, path))
    if major is not None and float(major) < _SIGNAL_SINCE:
        raise VersionError(
            f"PostgreSQL {major} is installed here, which has no standby.signal",
            hint="use PostgreSQL 12 or newer for standbys",
        )


def _from_archive(
    current: Current, one_shot: OneShot, patience: Patience, arguments: Sequence[str]
) -> Path | None:
    """Fetch the newest base backup into the stage; return None when there is none."""
    known = current.known
    patience.send(Progress(f"standby: examining {known.archive}"))
    check_key(known)
    staging.wipe(known.pgdata)
    archive = reader(current, one_shot.run_dir, one_shot.lock, own=True, on_fault=patience.wait)
    plan = _look(known, archive, patience, disk=True)
    if plan is None:
        return None
    log.info("standby.began", source=str(known.archive), backup=plan.backup.name)
    region, size = archive.bucket.region, plan.first.size
    configure(current, one_shot.run_dir, own=True, segment_bytes=size, region=region)
    data = fetch.fetch(current, archive, one_shot, plan, patience, own=True)
    fetch.check(archive, plan.backup, known.pgdata, data)
    links.make(data, known.pgdata, plan.backup.left_out)
    start_files.check(data, known.pgdata, arguments)
    start_files.tighten(data, known.pgdata, arguments)
    sanitize.make_own(
        data,
        known.postgres_initdb_waldir,
        known.postgres_host_auth_method or "scram-sha-256",
        signal=standby_signal.SIGNAL,
    )
    inner_tablespaces.place(known.pgdata, data, plan.backup, archive.engine.name)
    return data


def prove(current: Current, run_dir: Path, patience: Patience) -> None:
    """Return the archive's part of a standby's needs; the disk is not checked.

    Raises:
        ArchiveError: the archive lacks what it needs.
    """
    archive = reader(current, run_dir, -1, own=True, on_fault=patience.wait)
    failures = 0
    while _look(current.known, archive, patience, disk=False) is None:
        failures += 1
        asyncio.run(patience.wait(_NO_BACKUP, failures))


def _look(
    known: Settings, archive: Reader, patience: Patience, *, disk: bool
) -> RestorePlan | None:
    """Check the archive; return None when it has no base backup.

    Raises:
        ArchiveError: it has some, and none can be used.
    """
    request = replace(
        run.request_from(known, (), own=True, disk=disk, places=disk),
        target=Target(),
        backup_name="",
        accept_hole="",
        pg_waldump=None,
        pkglibdir=None,
    )
    outcome = run.look_into(archive, request, patience)
    if isinstance(outcome, Refusal):
        if not outcome.has_backups:
            return None
        run.refuse(str(known.archive), outcome)
    return outcome

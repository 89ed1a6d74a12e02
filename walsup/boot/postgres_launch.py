"""The launch of postgres: its command line, and the files that must exist before it starts."""

import contextlib
import math
import os
from collections.abc import Sequence
from pathlib import Path

from walsup import log
from walsup.archive.engine.adapter import Engine, push_timeout_s
from walsup.archive.engine.archive_command import LEASE, MANY, MOST_BYTES, archive_command, longest
from walsup.archive.faults import Fault
from walsup.archive.ownership import write_deadline
from walsup.boot import command_line, inspect, permissions, recovery_phase
from walsup.boot.existing_cluster import (
    blocking_settings,
    leftover_recovery,
    missing_files,
    other_archivers,
    socket_directories,
)
from walsup.boot.existing_cluster.directory_settings import operators_gucs
from walsup.boot.handover import Handover
from walsup.datadir import continuity, markers, restore_state
from walsup.errors import SettingsError
from walsup.postgres import config, pg_control
from walsup.settings import Settings

_PORT = 5432


def launch(
    hand: Handover, engine: Engine | Fault | None, postgres_arguments: Sequence[str]
) -> None:
    """Have PID 1 launch postgres, with the arguments and settings that walsup adds.

    Raises:
        WalsupError: postgres must not be started with these settings.
    """
    known, arguments = hand.current.known, list(postgres_arguments)
    if not (known.pgdata / "postgresql.conf").exists():
        from walsup.boot.existing_cluster import external_config  # noqa: PLC0415 (not for every start)

        version = str(inspect.major_of(known.pgdata))
        arguments = [*external_config.complete(known, arguments, version), *arguments]
    effective = operators_gucs(known.pgdata, arguments)
    program = inspect.program("postgres", known.pg_bindir, os.environ.get("PATH", ""))
    other_archivers.report(effective, has_archive=known.archive is not None)
    if theirs := missing_files.instead(effective, known, arguments, program, hand.run_dir):
        arguments = [*theirs, *arguments]
        effective = operators_gucs(known.pgdata, arguments)
    major = inspect.major_of(known.pgdata)
    foreign = markers.foreign(known.pgdata, str(known.archive)) if known.archive else ""
    if foreign:
        log.error("archive.foreign", problem=foreign, effect="archive_mode=off in this run")
    if not known.archive:
        log.warning("archive.none", problem="not protected: WALSUP_ARCHIVE is not set")
    # A full disk must not keep the database from running.
    with contextlib.suppress(OSError):
        markers.remember_straying(known.pgdata, "" if foreign else str(known.archive))
    taking = engine.name if isinstance(engine, Engine) else ""
    socket_dirs = _socket_dirs(known, arguments, effective, hand.run_dir, taking)
    recovery = recovery_phase.settings(known, hand, effective, major) | blocking_settings.of_logins(
        effective
    )
    line = command_line.command_line(
        arguments,
        effective,
        pgdata=str(known.pgdata),
        port=known.pgport,
        socket_dirs=socket_dirs,
        archive_command=_archive_command(known, engine, hand.run_dir),
        archive_mode=not foreign,
        archive_timeout_s=known.archive_timeout_s,
        major=major,
        recovery=recovery,
    )
    if not restore_state.is_recovering(known.pgdata):
        ours, follows = config.from_arguments(line.arguments), known.role != "primary"
        leftover_recovery.check(known.pgdata, major, effective, ours, follows=follows)
    for name, value in line.displaced.items():
        log.warning("setting.displaced", name=name, value=value)
    _note_start(known, hand, line.arguments, foreign)
    # The file of the last start: until this start owns the archive, nothing may be pushed.
    (hand.run_dir / LEASE).unlink(missing_ok=True)
    (hand.run_dir / MANY).unlink(missing_ok=True)
    for name in (write_deadline.FILE, write_deadline.MEMORY):
        (hand.run_dir / name).unlink(missing_ok=True)
    if hand.deadline_s < math.inf:
        write_deadline.put(hand.run_dir, hand.deadline_s, known.lease_s)
    hand.launch_postgres(
        program,
        line,
        command_line.postgres_environment(os.environ, known.postgres_env),
    )


def _note_start(known: Settings, hand: Handover, arguments: Sequence[str], foreign: str) -> None:
    """Compare the directory with the last run's note, and record how this run begins.

    A full disk must not keep the database from running: without a note the agent demands a new
    base backup.
    """
    if not known.archive:
        return
    broken = f"the last run started with archive_mode=off: {foreign}" if foreign else ""
    try:
        note = continuity.begin(
            known.pgdata,
            str(known.archive),
            hand.boot,
            pg_control.read(known.pgdata),
            arguments,
            continues=hand.continues,
            broken=broken,
        )
    except OSError as fault:
        log.warning("continuity.not_noted", problem=str(fault))
        return
    if note.broken:
        log.warning("archive.not_continued", problem=note.broken)


def _archive_command(known: Settings, engine: Engine | Fault | None, run_dir: Path) -> str | None:
    match engine:
        case None:
            return None
        case Fault():
            return "exit 1"  # archiving disabled: WAL waits; a code over 125 would end the archiver
        case Engine():
            timeout_s = push_timeout_s(known.push_grace_s, known.lease_s)
            command = archive_command(engine, run_dir, timeout_s)
            if (length := longest(command)) > MOST_BYTES:
                raise SettingsError(
                    f"archive_command would be {length} bytes long, but PostgreSQL before 16"
                    f" cuts it off after {MOST_BYTES}: the paths {run_dir} and"
                    f" {engine.program} are too long",
                    hint="set WALSUP_RUN_DIR to a shorter path, or install the engine at a"
                    " shorter path",
                )
            return command


def _socket_dirs(
    known: Settings,
    arguments: list[str],
    effective: dict[str, str],
    run_dir: Path,
    engine: str,
) -> tuple[str, ...]:
    listed = effective.get(socket_directories.NAME, "")
    major = inspect.major_of(known.pgdata)
    is_argument = socket_directories.NAME in config.from_arguments(arguments)
    sockets = socket_directories.choose(
        known, listed, run_dir, major, argument=is_argument, engine=engine
    )
    for name, reason in sockets.left_out:
        log.warning(
            "socket.left_out", directory=name, reason=reason, setting=socket_directories.NAME
        )
    given = effective.get("port", "").strip()
    port = known.pgport or (int(given) if given.isdecimal() else _PORT)
    for folder in sockets.directories:
        if not folder.startswith("@"):
            permissions.clear_stale_socket(Path(folder), port, known.pgdata)
    return sockets.directories

"""Prepare, a one-shot fork of PID 1: settings → plan → data directory → launches."""

import contextlib
import math
import os
from collections.abc import Sequence
from pathlib import Path

from walsup import log, settings
from walsup.archive.engine.adapter import Engine, choose, push_timeout_s
from walsup.archive.engine.archive_command import LEASE, MANY, MOST_BYTES, archive_command, longest
from walsup.archive.engine.capabilities import unheeded
from walsup.archive.faults import Fault
from walsup.archive.ownership import fence
from walsup.boot import command_line, handover, inspect, permissions, plan, recovery_phase, staging
from walsup.boot.current_settings import Current
from walsup.boot.existing_cluster import (
    blocking_settings,
    leftover_recovery,
    missing_files,
    other_archivers,
    socket_directories,
)
from walsup.boot.existing_cluster.directory_settings import operators_gucs
from walsup.boot.fork_guard import guarded
from walsup.datadir import archive_subpath, continuity, markers, restore_state
from walsup.errors import SettingsError, WalsupError
from walsup.pid1_messages import Send
from walsup.postgres import config, pg_control, standby_signal
from walsup.settings import Settings, guessable

_PORT = 5432
# The official image's words, which people look for.
_SKIPPING = "PostgreSQL Database directory appears to contain a database; Skipping initialization"
# The agent's imports take a core for half a second: postgres is to be there first.
_HEAD_START_S = 0.1


def prepare(arguments: list[str], lock: int, send: Send) -> int:
    """Make the data directory ready and hand the launches to PID 1; gives an exit code."""
    return guarded(lambda redacted: _prepare(arguments, lock, redacted), send)


def _prepare(arguments: list[str], lock: int, send: Send) -> None:
    configured = settings.load(os.environ)
    known = archive_subpath.where(configured)
    _warn(known)
    run_dir = Path(os.environ["WALSUP_RUN_DIR"])
    gucs = operators_gucs(known.pgdata, arguments)
    socket_directories.check_length(run_dir, socket_directories.LONGEST_RUN_DIR_BYTES)
    permissions.check_mode(known.pgdata)
    permissions.check_linked(known.pgdata)
    found = inspect.look(known.pgdata, config_elsewhere="config_file" in gucs)
    engine = choose(known, os.environ.get("PATH", "")) if known.archive else None
    if isinstance(engine, Fault):
        log.error(engine.kind.replace(" ", "."), problem=engine.problem, remedy=engine.cure)
    elif engine:
        for warning in unheeded(known, engine.name):
            log.warning("setting.unheeded", problem=warning)
    current = Current(known, os.environ)
    hand = handover.Handover(current, run_dir, os.urandom(16).hex(), send)
    found = recovery_phase.taken_for(known, found, hand)
    wish = plan.Wish(
        known.on_empty_pgdata,
        restores=known.restore_from is not None,
        pod=standby_signal.ordinal(os.environ.get("HOSTNAME", "")),
    )
    if isinstance(found, (plan.Cluster, plan.Broken)):
        _execute(found, hand, lock, arguments, wish=wish)
        hand.write_agent_file()
        _launch_postgres(current.known, arguments, engine, hand)
        hand.launch_agent(_HEAD_START_S)
        return
    hand.write_agent_file()
    hand.launch_agent()
    archived = hindrance = None
    if plan.needs_archive(found):
        from walsup.boot.new_cluster.preconditions import hindrance as look  # noqa: PLC0415 (not for every start)

        hindrance = look(known, os.environ)
    if known.archive and plan.needs_archive(found) and hindrance is None:
        from walsup.boot.new_cluster.archive_check import ask_archive  # noqa: PLC0415 (h11, ssl: when it matters)

        current.known = current.known._replace(archive=configured.archive)
        archived, current.known = ask_archive(current, send)
        wish = wish._replace(moved=current.known.archive != configured.archive)
    wish = wish._replace(standby=recovery_phase.follows(current.known, archived))
    _execute(found, hand, lock, arguments, wish=wish, archived=archived, hindrance=hindrance)
    hand.move()
    _launch_postgres(current.known, arguments, engine, hand)


def _warn(known: Settings) -> None:
    """Log what is odd in the settings, and no reason to refuse them."""
    for warning in known.warnings:
        log.warning("setting.unknown", problem=warning)
    for problem in guessable.problems(known):
        log.warning("setting.guessable", problem=problem, hint="choose another password or key")
    for note in known.foreign:
        log.warning("setting.foreign", problem=note)
    for problem in known.source_faults:
        log.warning("setting.of_source", problem=problem)


def _execute(  # noqa: PLR0913 (each is one fact)
    found: plan.Found,
    hand: handover.Handover,
    lock: int,
    arguments: list[str],
    *,
    wish: plan.Wish,
    archived: str | None = None,
    hindrance: WalsupError | None = None,
) -> None:
    known = hand.current.known
    postgres = inspect.program("postgres", known.pg_bindir, os.environ.get("PATH", ""))
    decided = plan.decide(
        found,
        binaries_major=inspect.binaries_major(postgres),
        archived=archived,
        may_create=bool(known.postgres_password or known.app_user)
        or known.postgres_host_auth_method == "trust",
        wish=wish,
        hindrance=hindrance,
    )
    match decided:
        case plan.Refuse(error=error):
            raise error
        case plan.Bootstrap() | plan.BootstrapBeside() | plan.Restore() | plan.Follow():
            from walsup.boot.create import make  # noqa: PLC0415 (not for every start)

            make(decided, hand, lock, arguments)
        case plan.Recover():
            log.info("restore.resumed", message="a copy of the archive is recovered further")
        case plan.Finish():
            log.info("bootstrap.finished", message="a complete stage is moved to its place")
            staging.finish(known.pgdata)
        case plan.Start():
            log.info("bootstrap.skipped", message=_SKIPPING)
            hand.continues = True
            staging.remove_leftover(known.pgdata)
            if isinstance(found, plan.Cluster):
                permissions.make_room(known.pgdata / "pg_wal", found.control.segment_size)


def _launch_postgres(
    known: Settings, arguments: list[str], engine: Engine | Fault | None, hand: handover.Handover
) -> None:
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
    # The last start's: until this one holds the archive, nothing may be pushed.
    (hand.run_dir / LEASE).unlink(missing_ok=True)
    (hand.run_dir / MANY).unlink(missing_ok=True)
    for name in (fence.FILE, fence.MEMORY):
        (hand.run_dir / name).unlink(missing_ok=True)
    if hand.deadline_s < math.inf:
        fence.put(hand.run_dir, hand.deadline_s, known.lease_s)
    hand.launch_postgres(
        program,
        line,
        command_line.postgres_environment(os.environ, known.postgres_env),
    )


def _note_start(
    known: Settings, hand: handover.Handover, arguments: Sequence[str], foreign: str
) -> None:
    """Compare the directory with the last run's note, and note how this one begins.

    A full disk must not keep the database from running: without a note the agent demands a new
    base backup.
    """
    if not known.archive:
        return
    broken = f"the last run began with archive_mode=off: {foreign}" if foreign else ""
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
            return "exit 1"  # shut: WAL waits, the archiver does not die of a code over 125
        case Engine():
            timeout_s = push_timeout_s(known.push_grace_s, known.lease_s)
            told = archive_command(engine, run_dir, timeout_s)
            if (length := longest(told)) > MOST_BYTES:
                raise SettingsError(
                    f"archive_command would have {length} bytes, and PostgreSQL before 16 cuts it"
                    f" after {MOST_BYTES}: the paths {run_dir} and {engine.program} are too long",
                    hint="set WALSUP_RUN_DIR to a shorter path, or install the engine in one",
                )
            return told


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
    found = socket_directories.choose(
        known, listed, run_dir, major, argument=is_argument, engine=engine
    )
    for name, reason in found.left_out:
        log.warning(
            "socket.left_out", directory=name, reason=reason, setting=socket_directories.NAME
        )
    given = effective.get("port", "").strip()
    port = known.pgport or (int(given) if given.isdecimal() else _PORT)
    for folder in found.directories:
        if not folder.startswith("@"):
            permissions.clear_stale_socket(Path(folder), port, known.pgdata)
    return found.directories

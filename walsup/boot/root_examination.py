"""Whether a data directory can start here, examined as root before it is given to another user.

Its old server could not open it afterwards. It is read as its owner, and nothing is written. A file
outside that only the later user may read is left to the start itself.
"""

import os
import subprocess
from collections.abc import Sequence
from pathlib import Path

from walsup import log, settings
from walsup.boot import command_line, inspect, plan
from walsup.boot.existing_cluster import external_config, missing_files
from walsup.boot.existing_cluster.directory_settings import NAME, operators_gucs
from walsup.boot.fork_guard import guarded
from walsup.boot.hidden_files import is_hidden
from walsup.errors import DataDirectoryError, PermissionsError, SettingsError
from walsup.pid1_messages import Send
from walsup.postgres import config
from walsup.redaction import redact
from walsup.settings import Settings

_TIMEOUT_S = 20.0
_LINES = 5


def examine(arguments: list[str], send: Send) -> int:
    """Return 0 when nothing prevents a start, else an exit code; PID 1 gets the reason."""
    return guarded(lambda _: _examine(arguments), send)


def _examine(arguments: list[str]) -> None:
    known = _settings()
    _become_owner(known.pgdata)
    given = config.from_arguments(arguments)
    elsewhere = "config_file" in given or is_hidden(known.pgdata, known.pgdata / "postgresql.conf")
    try:
        found = inspect.look(known.pgdata, config_elsewhere=elsewhere)
    except PermissionError as fault:
        raise PermissionsError(
            f"{fault.filename} cannot be read as uid {os.geteuid()}, the owner of {known.pgdata}",
            hint="give all files of the data directory to one user (chown -R); nothing has"
            " been touched",
        ) from fault
    program = inspect.program("postgres", known.pg_bindir, os.environ.get("PATH", ""))
    if not plan.needs_archive(found):
        decided = plan.decide(
            found,
            binaries_major=inspect.binaries_major(program),
            archived=None,
            may_create=True,
        )
        if isinstance(decided, plan.Refuse):
            raise decided.error
    if isinstance(found, plan.Cluster):
        _check(known, arguments, program)
    log.info("directory.examined", path=str(known.pgdata), uid=os.geteuid())


def _check(known: Settings, arguments: Sequence[str], program: str) -> None:
    try:
        if external_config.is_absent(known.pgdata, config.from_arguments(arguments)):
            return
        problems = config.effective(known.pgdata, arguments).problems
        effective = operators_gucs(known.pgdata, arguments)
    except PermissionError as fault:
        if is_hidden(known.pgdata, Path(fault.filename)):
            return
        raise
    unread = (
        file for file, cannot, _ in (one.rpartition(" cannot be ") for one in problems) if cannot
    )
    if any(is_hidden(known.pgdata, Path(file)) for file in unread):
        return
    theirs = missing_files.instead(effective, known, arguments, program, None)
    moved = ("-c", f"{NAME}={known.pgdata}") if NAME in effective else ()
    # This reads all settings, and ends: it shows those with which postgres would not start.
    argv = [program, "-C", "max_connections", "-D", str(known.pgdata), *theirs, *arguments, *moved]
    environment = command_line.postgres_environment(os.environ, known.postgres_env)
    try:
        done = subprocess.run(
            argv,
            check=False,
            capture_output=True,
            timeout=_TIMEOUT_S,
            env=environment,
            cwd=known.pgdata,
        )
    except (OSError, subprocess.SubprocessError):
        return  # the start itself reports what is wrong with the program
    if done.returncode:
        said = redact(done.stderr.decode(errors="replace"), known.secrets)
        lines = said.strip().splitlines()
        raise DataDirectoryError(
            f"postgres rejects the settings of {known.pgdata}: {' / '.join(lines[-_LINES:])}",
            hint="correct them, or override them with arguments; nothing has been touched",
        )


def _settings() -> Settings:
    """Read the settings as the later user, when root may not read a file."""
    try:
        return settings.load(os.environ)
    except SettingsError:
        run_dir = os.stat(os.environ["WALSUP_RUN_DIR"])  # noqa: PTH116 (its owner is that user)
        if os.geteuid() != 0 or run_dir.st_uid == 0:
            raise
    os.seteuid(run_dir.st_uid)
    try:
        return settings.load(os.environ)
    finally:
        os.seteuid(0)


def _become_owner(pgdata: Path) -> None:
    """Become the user that owns these files: root without all capabilities may not read them."""
    version = pgdata / "PG_VERSION"
    try:
        status = version.lstat()
    except OSError:
        status = pgdata.stat()
    if os.geteuid() != 0 or status.st_uid == 0:
        return
    try:
        os.setgroups([])
        os.setresgid(status.st_gid, status.st_gid, status.st_gid)
        os.setresuid(status.st_uid, status.st_uid, status.st_uid)
    except OSError as fault:
        raise PermissionsError(
            f"root cannot become uid {status.st_uid}, the owner of {pgdata}: {fault.strerror}",
            hint="allow the capabilities SETUID and SETGID, or start as the database's own user",
        ) from fault

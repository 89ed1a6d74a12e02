"""The scripts of initdb.d: found before initdb, run in the stage before the port opens."""

import os
from collections.abc import Mapping
from pathlib import Path
from typing import NamedTuple

from walsup import log
from walsup.boot.new_cluster import script_progress
from walsup.boot.new_cluster.script_progress import scripts_of
from walsup.boot.new_cluster.temporary_server import StageServer
from walsup.boot.new_cluster.temporary_settings import session_settings
from walsup.boot.run_program import OneShot, end
from walsup.errors import BootstrapError, PermissionsError
from walsup.pid1_messages import Progress, Send
from walsup.postgres.sql import startup_settings
from walsup.settings import Settings, declared, is_secret
from walsup.system.output_tail import last_lines
from walsup.system.programs import which

# docker-library's, and KubeDB's.
_USUAL = (Path("/docker-entrypoint-initdb.d"), Path("/var/initdb"))
_RUN = (".sh", ".sql", ".sql.gz", ".sql.xz", ".sql.zst")
_DRIVER = Path(__file__).with_name("initdb.bash")
_IGNORES = "walsup: ignoring "
# With one of these libpq would connect elsewhere, or reject the temporary server, which is no
# standby and listens on a socket only. Source: PostgreSQL 18, "Environment Variables" of libpq.
_MISLEADING = (
    *("PGHOSTADDR", "PGSERVICE", "PGSERVICEFILE", "PGTARGETSESSIONATTRS"),
    *("PGREQUIREPEER", "PGREQUIREAUTH", "PGCHANNELBINDING", "PGGSSENCMODE"),
    *("PGREQUIRESSL", "PGSSLCERTMODE", "PGSSLNEGOTIATION"),
)


class Scripts(NamedTuple):
    """The directories that hold something, and whether any script in them has to run."""

    directories: tuple[Path, ...]
    any_to_run: bool


def find(known: Settings) -> Scripts:
    """Look which scripts exist.

    Raises:
        PermissionsError: a directory or a script cannot be read, or is missing.
    """
    directories: list[Path] = []
    any_to_run = False
    for directory in (known.initdb_dir,) if known.initdb_dir else _USUAL:
        try:
            files = [path for path in directory.iterdir() if path.name[0] != "."]
        except FileNotFoundError:
            if known.initdb_dir:
                raise _unreadable(directory, "there is no such directory") from None
            continue
        except OSError as fault:
            raise _unreadable(directory, str(fault.strerror)) from fault
        scripts = [path for path in files if path.name.endswith(_RUN)]
        for path in scripts:
            if not os.access(path, os.R_OK):
                raise _unreadable(path, "no permission")
        any_to_run = any_to_run or bool(scripts)
        for path in () if scripts else sorted(files):
            log.warning("initdb.ignored", path=str(path), why="the directory holds no script")
        if scripts:
            directories.append(directory)
    return Scripts(tuple(directories), any_to_run)


def run(
    scripts: Scripts,
    known: Settings,
    one_shot: OneShot,
    environ: Mapping[str, str],
    send: Send,
) -> None:
    """Run them against the temporary server, which `environ` names; `send` tells PID 1 the script.

    Raises:
        BootstrapError: a script failed, with its last lines, or has ended the shell.
        ProgramMissingError: there is no bash.
    """
    output = one_shot.run_dir / "initdb.d.log"
    finished = one_shot.run_dir / "initdb.d.finished"
    finished.unlink(missing_ok=True)
    bash = which("bash", environ.get("PATH", "")) or "/bin/bash"
    argv = [bash, str(_DRIVER), str(finished), *map(str, scripts.directories)]
    log.info("initdb.scripts", directories=[str(path) for path in scripts.directories])
    code = script_progress.wait(one_shot.begin(argv, output, environ), output, send)
    send(Progress(""))
    for line in _lines(output):
        if line.startswith(_IGNORES):
            log.warning("initdb.ignored", path=line.removeprefix(_IGNORES))
    if code == 0 and finished.exists():
        log.info("initdb.scripts_ended", scripts=scripts_of(output), output=str(output))
        return
    script = (scripts_of(output) or ["bash"])[-1]
    problem = end(code) if code else "called `exit`, which ends the shell that sources it"
    raise BootstrapError(
        f"{script} {problem}:\n{last_lines(output, known.secrets)}",
        hint="correct the script, then start again: the cluster is created from the"
        f" beginning; the scripts' output is in {output}, the server's in"
        f" {StageServer.log_of(one_shot.run_dir)}",
    )


def environment(
    known: Settings, environ: Mapping[str, str], server: StageServer, data: Path
) -> dict[str, str]:
    """Return the environment of scripts: the container's, without the bucket's secrets.

    As in the official image it holds the superuser's password. No other program gets it.
    """
    hidden = {row.name for row in declared() if row.secret}
    hidden |= {alias for row in declared() if row.secret for alias in row.aliases}
    contract = ("POSTGRES_USER", "POSTGRES_PASSWORD", "POSTGRES_DB", "POSTGRES_INITDB_ARGS")
    hidden |= {f"{name}_FILE" for name in (*hidden, *contract)} | {*_MISLEADING}
    hidden |= {name for name in known.passed_on if is_secret(name)}
    variables = {name: text for name, text in environ.items() if name not in hidden}
    password = known.postgres_password or ""
    database = known.postgres_db or known.postgres_user
    path = filter(None, (str(known.pg_bindir or ""), environ.get("PATH")))
    if "PGOPTIONS" in variables:
        variables["PGOPTIONS"] += "".join(
            f" -c{name}={value}"
            for name, value in session_settings(startup_settings.major_of(data)).items()
        )
    return variables | {
        "PATH": os.pathsep.join(path),
        "PGDATA": str(data),
        "PGHOST": str(server.socket_dir),
        "PGPORT": str(server.port),
        "PGUSER": known.postgres_user,
        "PGDATABASE": database,
        "PGPASSWORD": environ.get("PGPASSWORD") or password,
        "POSTGRES_USER": known.postgres_user,
        "POSTGRES_PASSWORD": password,
        "POSTGRES_DB": database,
        "POSTGRES_INITDB_ARGS": known.postgres_initdb_args,
    }


def _unreadable(path: Path, why: str) -> PermissionsError:
    return PermissionsError(
        f"{path} cannot be read: {why}",
        hint=f"make it readable for uid {os.geteuid()} (a ConfigMap's defaultMode, a file's"
        " mode); nothing was created",
    )


def _lines(output: Path) -> list[str]:
    return output.read_text(encoding="utf-8", errors="replace").splitlines()

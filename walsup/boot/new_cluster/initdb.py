"""Makes a new cluster in the stage: initdb, its two files, the operator's database and scripts."""

import shlex
from collections.abc import Mapping, Sequence
from dataclasses import replace
from pathlib import Path

from walsup import log
from walsup.boot import inspect, staging
from walsup.boot.new_cluster import init_scripts, nss_wrapper
from walsup.boot.new_cluster.temporary_config import with_config
from walsup.boot.new_cluster.temporary_server import StageServer
from walsup.boot.new_cluster.temporary_settings import stage_settings
from walsup.boot.run_program import OneShot
from walsup.errors import SettingsError
from walsup.pid1_messages import Send
from walsup.postgres import config
from walsup.postgres.sql import scram
from walsup.postgres.sql.quoting import identifier, literal
from walsup.settings import Settings
from walsup.system.private_files import write_private

_SCRAM_SINCE = 14
# Source: PostgreSQL, extension.c: CREATE EXTENSION plpgsql rejects these as names of its owner.
_NOT_OF_A_SUPERUSER = "\"$'\\"
_STRATEGY_SINCE = 15
_USER_CONF = Path("/etc/config/user.conf")  # KubeDB's settings of PostgreSQL, a ConfigMap
_TRUST = (
    "POSTGRES_HOST_AUTH_METHOD=trust lets every client that reaches the port log in without a"
    " password, even if one is set"
)


def bootstrap(
    settings: Settings,
    one_shot: OneShot,
    arguments: Sequence[str],
    environ: Mapping[str, str],
    send: Send,
) -> None:
    """Create the cluster and move it to its place; `arguments` are postgres's.

    `send` reports the progress to PID 1.

    Raises:
        BootstrapError: initdb, the creation of the database or a script failed; the stage is left
            to be wiped by the next start.
        PermissionsError, SettingsError: a script cannot be read, a role has no password, or initdb
            cannot make this superuser; nothing has been begun.
    """
    if bool(settings.app_user) != bool(settings.app_password):
        raise SettingsError(
            "only one of WALSUP_APP_USER and WALSUP_APP_PASSWORD is set",
            hint="set both, and a new cluster gets this additional role; or set neither",
        )
    scripts = init_scripts.find(settings)
    if odd := next((one for one in settings.postgres_user if one in _NOT_OF_A_SUPERUSER), ""):
        raise SettingsError(
            f"POSTGRES_USER: {settings.postgres_user} contains {odd}, and initdb cannot create"
            " such a superuser",
            hint="choose a name without \" ' $ and \\",
        )
    data = staging.begin(settings.pgdata, settings.postgres_initdb_waldir)
    log.info("bootstrap.began", pgdata=str(settings.pgdata))
    if settings.postgres_host_auth_method == "trust":
        log.warning("bootstrap.trust", problem=_TRUST)
    more = nss_wrapper.environment(one_shot.run_dir)
    initdb = replace(one_shot, environment={**one_shot.environment, **more})
    _initdb(settings, initdb, data, environ)
    _configure(settings, data, arguments)
    database = settings.postgres_db or settings.postgres_user
    if settings.app_user and settings.app_password:
        _create_role(one_shot, data, settings.app_user, settings.app_password)
    if database not in ("postgres", "template0", "template1"):
        _create_database(one_shot, data, database, settings.app_user or "")
    elif settings.app_user:
        # An application's role does not own the database in which walsup logs in.
        grant = f"GRANT ALL ON DATABASE postgres TO {identifier(settings.app_user)}"
        _run(one_shot, data, grant)
    if scripts.any_to_run:
        with StageServer(one_shot, data, settings.pgport) as server:
            own = with_config(arguments, settings.pgdata, data, one_shot.run_dir)
            server.start(own, one_shot.environment)
            script_environment = init_scripts.environment(settings, environ, server, data)
            init_scripts.run(scripts, settings, one_shot, script_environment, send)
        staging.move_names(data, settings.pgdata)
    # initdb -N has synced nothing: one sync covers all of it, with the WAL directory.
    initdb.run("initdb", ["--sync-only", "-D", str(data)])
    staging.complete(settings.pgdata)
    staging.finish(settings.pgdata)
    log.info(
        "bootstrap.ended",
        message="PostgreSQL init process complete; ready for start up.",
        also="database system is ready to accept connections: logged twice at a first"
        " start, as by the official image, because tools wait for it",
    )


def initdb_arguments(settings: Settings, data: Path, environ: Mapping[str, str]) -> list[str]:
    """Return initdb's arguments without the password file. Pure."""
    arguments = [
        "--no-sync",
        "--data-checksums",
        f"--username={settings.postgres_user}",
        # Loopback too, as users of the official image expect; the network is in _configure.
        "--auth=trust",
        f"--pgdata={data}",
    ]
    own = shlex.split(settings.postgres_initdb_args)
    has_locale = any(environ.get(name) for name in ("LANG", "LC_ALL", "LC_CTYPE"))
    if not has_locale and not any(a.startswith(("--locale", "--encoding", "-E")) for a in own):
        # Without a locale initdb makes SQL_ASCII, which takes any bytes for text.
        arguments += ["--encoding=UTF8", "--locale=C.UTF-8"]
    if settings.postgres_initdb_waldir:
        arguments.append(f"--waldir={settings.postgres_initdb_waldir}")
    return arguments + own


def _initdb(settings: Settings, one_shot: OneShot, data: Path, environ: Mapping[str, str]) -> None:
    arguments = initdb_arguments(settings, data, environ)
    if not settings.postgres_password:
        one_shot.run("initdb", arguments)
        return
    stored = _stored(settings.postgres_password, settings.postgres_initdb_args, one_shot)
    path = one_shot.run_dir / "initdb-password"
    try:
        write_private(path, stored + "\n")
        one_shot.run("initdb", [*arguments, f"--pwfile={path}"])
    finally:
        path.unlink(missing_ok=True)


def _stored(password: str, initdb_args: str, one_shot: OneShot) -> str:
    """Return the stored form of the password, so that no statement that may be printed holds it.

    Before 14 initdb reads 99 characters of it, where md5 is the default form, so the password
    itself is returned.
    """
    if "md5" in initdb_args.lower() or _major_of_initdb(one_shot) < _SCRAM_SINCE:
        return password
    return scram.verifier(password)


def _major_of_initdb(one_shot: OneShot) -> int:
    path = one_shot.environment.get("PATH", "")
    found = inspect.binaries_major(inspect.program("initdb", one_shot.bindir, path)) or ""
    return int(found) if found.isdecimal() else 0


def _configure(settings: Settings, data: Path, arguments: Sequence[str]) -> None:
    """Admit clients from the network, as the official image does. Call this before the move."""
    with (data / "postgresql.conf").open("a", encoding="utf-8") as file:
        file.write("\n# Added by walsup when it created this cluster\nlisten_addresses = '*'\n")
        if _USER_CONF.exists():
            file.write(f"include_if_exists = '{_USER_CONF}'\n")
    method = settings.postgres_host_auth_method or _password_encryption(data, arguments)
    with (data / "pg_hba.conf").open("a", encoding="utf-8") as file:
        file.write(f"\nhost all all all {method}\n")
        # `all` does not include the connections of standbys.
        role = identifier(settings.replication_user)
        file.write(f"host replication {role} all scram-sha-256\n")


def _password_encryption(data: Path, arguments: Sequence[str]) -> str:
    """Return how the superuser's password was stored: another method would admit no client."""
    usual = "md5" if inspect.major_of(data) < _SCRAM_SINCE else "scram-sha-256"
    found = config.effective(data, arguments).values.get("password_encryption", usual)
    return found if found in ("md5", "scram-sha-256") else "md5"


def _create_role(one_shot: OneShot, data: Path, name: str, password: str) -> None:
    stored = scram.verifier(password)
    _run(
        one_shot,
        data,
        f"CREATE ROLE {identifier(name)} LOGIN CREATEDB PASSWORD {literal(stored)}",
    )


def _create_database(one_shot: OneShot, data: Path, name: str, owner: str) -> None:
    # Without a copy of it in the WAL, in half the time; before 15 there was no other way.
    statement = f"CREATE DATABASE {identifier(name)}"
    if owner:
        statement += f" OWNER {identifier(owner)}"
    if inspect.major_of(data) >= _STRATEGY_SINCE:
        statement += " STRATEGY file_copy"
    _run(one_shot, data, statement)


def _run(one_shot: OneShot, data: Path, statement: str) -> None:
    # postgresql.conf includes the operator's settings where there are any (_USER_CONF).
    ours = stage_settings(data, one_shot.run_dir, {}, inspect.major_of(data))
    settings = config.as_arguments(ours | {"exit_on_error": "on"})
    one_shot.run(
        "postgres",
        ["--single", "-F", "-D", str(data), *settings, "template1"],
        script=f"{statement};\n",
    )

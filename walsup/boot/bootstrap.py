"""Making a new cluster in the stage: initdb, its two files, the operator's database."""

import shlex
from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path

from walsup import log
from walsup.boot import anyuid, stage
from walsup.boot.oneshot import OneShot
from walsup.private import write_private
from walsup.settings import Settings


def bootstrap(settings: Settings, one_shot: OneShot, environ: Mapping[str, str]) -> None:
    """Create the cluster and move it to its place.

    Raises:
        BootstrapError: initdb or the creation of the database failed; the stage is left to be
            wiped by the next start.
    """
    data = stage.begin(settings.pgdata, settings.postgres_initdb_waldir)
    log.info("bootstrap.began", pgdata=str(settings.pgdata))
    more = anyuid.environment(one_shot.run_dir)
    initdb = replace(one_shot, environment={**one_shot.environment, **more})
    _initdb(settings, initdb, data, environ)
    _configure(settings, data)
    if settings.postgres_db not in (None, "postgres", "template0", "template1"):
        _create_database(one_shot, data, str(settings.postgres_db))
    elif settings.postgres_db is None and settings.postgres_user != "postgres":
        _create_database(one_shot, data, settings.postgres_user)
    # initdb -N has synced nothing: one sync for all of it, with the WAL directory.
    initdb.run("initdb", ["--sync-only", "-D", str(data)])
    stage.complete(settings.pgdata)
    stage.finish(settings.pgdata)
    log.info("bootstrap.ended", message="PostgreSQL init process complete; ready for start up.")


def initdb_arguments(settings: Settings, data: Path, environ: Mapping[str, str]) -> list[str]:
    """Give initdb's arguments without the password file. Pure."""
    arguments = [
        "--no-sync",
        "--data-checksums",
        f"--username={settings.postgres_user}",
        "--auth-local=trust",
        f"--auth-host={settings.postgres_host_auth_method}",
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
        log.warning("bootstrap.no_password", method=settings.postgres_host_auth_method)
        one_shot.run("initdb", arguments)
        return
    path = one_shot.run_dir / "initdb-password"
    try:
        write_private(path, settings.postgres_password + "\n")
        one_shot.run("initdb", [*arguments, f"--pwfile={path}"])
    finally:
        path.unlink(missing_ok=True)


def _configure(settings: Settings, data: Path) -> None:
    """Let the network in, as the official image does; the file is still ours here."""
    with (data / "postgresql.conf").open("a", encoding="utf-8") as file:
        file.write("\n# by walsup, when it made this cluster\nlisten_addresses = '*'\n")
    with (data / "pg_hba.conf").open("a", encoding="utf-8") as file:
        file.write(f"\nhost all all all {settings.postgres_host_auth_method}\n")


def _create_database(one_shot: OneShot, data: Path, name: str) -> None:
    quoted = '"' + name.replace('"', '""') + '"'
    one_shot.run(
        "postgres",
        ["--single", "-F", "-D", str(data), "-c", "exit_on_error=true", "template1"],
        script=f"CREATE DATABASE {quoted};\n",
    )

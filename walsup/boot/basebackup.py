"""pg_basebackup: a standby copied from its running primary, with the WAL that it needs."""

from pathlib import Path

from walsup import log
from walsup.archive.fault import Fault
from walsup.boot import backupfetch, copy, inspect, primary, room, stage
from walsup.boot.oneshot import OneShot
from walsup.errors import DiskFullError
from walsup.postgres import standing
from walsup.settings import Settings
from walsup.tail import last_lines


def take(known: Settings, one_shot: OneShot) -> Path | Fault:
    """Copy the primary into the stage; gives why it could not be copied this time.

    Raises:
        DiskFullError: the disk is too small for it.
    """
    if known.primary_conninfo is None:
        raise ValueError("no primary is known")
    data = stage.begin(known.pgdata, known.postgres_initdb_waldir)
    conninfo = primary.conninfo(known, one_shot.run_dir)
    path = one_shot.environment.get("PATH", "")
    argv = [inspect.program("pg_basebackup", known.pg_bindir, path)]
    argv += ["-D", str(data), "-d", conninfo, "--checkpoint=fast", "--wal-method=stream"]
    argv += ["--no-password", "--no-sync"]
    if known.postgres_initdb_waldir:
        argv.append(f"--waldir={known.postgres_initdb_waldir}")
    output = one_shot.run_dir / "pg_basebackup.log"
    log.info("standby.began", source="primary")
    try:
        code = backupfetch.run(
            argv, output, lock=one_shot.lock, more={}, total_bytes=0, tell=lambda _: None
        )
    except OSError as fault:
        return Fault(
            kind="unknown",
            problem=f"{argv[0]} cannot be run: {fault.strerror}",
            remedy="set PG_BINDIR to the directory of PostgreSQL's programs",
        )
    if code:
        text = last_lines(output, known.secrets)
        if room.says_full(text):
            raise DiskFullError(
                f"pg_basebackup ended with {code}:\n{text}",
                hint="make the volume larger, start again",
            )
        return Fault(
            kind="unknown",
            problem=f"the primary could not be copied, pg_basebackup ended with {code}: {text}",
            remedy="see its words: is the primary up, do WALSUP_PRIMARY_CONNINFO and the primary's"
            " pg_hba.conf (a line for the database `replication`) fit? It is tried again",
        )
    copy.make_own(
        data,
        known.postgres_initdb_waldir,
        known.postgres_host_auth_method or "scram-sha-256",
        signal=standing.SIGNAL,
        keeps_wal=True,
    )
    return data

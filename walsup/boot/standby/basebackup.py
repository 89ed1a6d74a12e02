"""pg_basebackup: a standby copied from its running primary, with the WAL that it needs."""

import re
from collections.abc import Sequence
from pathlib import Path

from walsup import log
from walsup.archive.faults import Fault, FaultKind
from walsup.boot import disk_space, inspect, staging
from walsup.boot.existing_cluster import start_files
from walsup.boot.restore import backup_fetch, sanitize
from walsup.boot.run_program import OneShot
from walsup.boot.standby import primary, primary_tablespaces
from walsup.errors import ArchiveError, DiskFullError
from walsup.postgres import standby_signal
from walsup.postgres.backup_exclusions import LINK, LeftOut
from walsup.settings import Settings
from walsup.system.output_tail import last_lines

# Source: PostgreSQL 15, basebackup.c, sendDir: "skipping special file \"%s\""; its message may be
# translated, with other quotes. It skips all links but those of pg_tblspc and pg_wal.
_SKIPPED = re.compile('["\u00ab\u00bb\u201c\u201d\u201e]\\./([^"\u00ab\u00bb\u201c\u201d\u201e]+)')


def take(known: Settings, one_shot: OneShot, arguments: Sequence[str]) -> Path | Fault:
    """Copy the primary into the stage; return why it could not be copied this time.

    Raises:
        DiskFullError: the disk is too small; ArchiveError: the copy lacks files of the
            primary's data directory without which it is not to be started.
    """
    if known.primary_conninfo is None:
        raise ValueError("no primary is known")
    data = staging.begin(known.pgdata, known.postgres_initdb_waldir)
    conninfo = primary.conninfo(known, one_shot.run_dir)
    places = primary_tablespaces.ask(known, one_shot, conninfo)
    if obstacle := primary_tablespaces.not_empty(places):
        return obstacle
    staging.remember_outside(known.pgdata, places)
    path = one_shot.environment.get("PATH", "")
    argv = [inspect.program("pg_basebackup", known.pg_bindir, path)]
    argv += ["-D", str(data), "-d", conninfo, "--checkpoint=fast", "--wal-method=stream"]
    argv += ["--no-password", "--no-sync"]
    if known.postgres_initdb_waldir:
        argv.append(f"--waldir={known.postgres_initdb_waldir}")
    output = one_shot.run_dir / "pg_basebackup.log"
    log.info("standby.began", source="primary")
    try:
        code = backup_fetch.run(
            argv, output, lock=one_shot.lock, more={}, total_bytes=0, tell=lambda _: None
        )
    except OSError as fault:
        return Fault(
            kind=FaultKind.UNKNOWN,
            problem=f"{argv[0]} cannot be run: {fault.strerror}",
            remedy="set PG_BINDIR to the directory of PostgreSQL's programs",
        )
    if code:
        text = last_lines(output, known.secrets)
        if disk_space.says_full(text):
            raise DiskFullError(
                f"pg_basebackup ended with {code}:\n{text}",
                hint="make the volume larger, then start again",
            )
        if not places and (obstacle := primary_tablespaces.named_in(text)):
            return obstacle
        return Fault(
            kind=FaultKind.UNKNOWN,
            problem=f"the primary could not be copied: pg_basebackup ended with {code}: {text}",
            remedy="check that the primary is running, that WALSUP_PRIMARY_CONNINFO is"
            " correct, and that the primary's pg_hba.conf has a line for the database"
            " `replication`; walsup tries again",
        )
    _check_skipped(output, data, known, arguments)
    sanitize.make_own(
        data,
        known.postgres_initdb_waldir,
        known.postgres_host_auth_method or "scram-sha-256",
        signal=standby_signal.SIGNAL,
        keeps_wal=True,
    )
    return data


def _check_skipped(output: Path, data: Path, known: Settings, arguments: Sequence[str]) -> None:
    """Refuse a copy that lacks files behind links of the primary, if postgres needs them."""
    text = output.read_text(encoding="utf-8", errors="replace")
    skipped = sorted(set(_SKIPPED.findall(text)))
    if not skipped:
        return
    log.warning("standby.left_out", paths=skipped)
    lost = start_files.needed_of(skipped, data, known.pgdata, arguments)
    lost += [path for path in skipped if LeftOut(path, LINK).is_data]
    if lost:
        raise ArchiveError(
            f"the primary has {', '.join(lost)} as links in its data directory, which pg_basebackup"
            " does not copy",
            hint="mount the files here, and pass -c hba_file=PATH, -c ident_file=PATH, -c"
            " ssl_cert_file=PATH and so on; move data behind a link into a tablespace",
        )
    start_files.check(data, known.pgdata, arguments)

"""Whether a data directory has everything that postgres needs except its configuration files.

Bitnami, Debian and others keep postgresql.conf and pg_hba.conf elsewhere: such a directory is
intact. An interrupted initdb writes postgresql.conf before pg_control, and an interrupted copy
lacks other files too.
"""

from pathlib import Path

from walsup.errors import WalsupError
from walsup.postgres import pg_control
from walsup.postgres.wal import Segment

# Source: PostgreSQL 11 to 18, initdb.c, subdirs. pg_stat_tmp has been left out since 15.
_FOLDERS = (
    *("base/1", "global", "pg_commit_ts", "pg_dynshmem", "pg_logical", "pg_multixact/members"),
    *("pg_multixact/offsets", "pg_notify", "pg_replslot", "pg_serial", "pg_snapshots", "pg_stat"),
    *("pg_subtrans", "pg_tblspc", "pg_twophase", "pg_wal", "pg_xact"),
)
_FILES = (
    *("PG_VERSION", "global/pg_control", "global/pg_filenode.map", "base/1/PG_VERSION"),
    "base/1/pg_filenode.map",
)


def lacking(pgdata: Path) -> list[str]:
    """Return what is absent and not a configuration file, by path below the data directory."""
    lost = [name for name in _FOLDERS if not (pgdata / name).is_dir()]
    lost += [name for name in _FILES if not (pgdata / name).is_file()]
    if lost:
        return lost
    if not (pgdata / "backup_label").exists():
        lost += _wal(pgdata)
    return lost


def _wal(pgdata: Path) -> list[str]:
    """Return the segment from which recovery begins when it is absent."""
    try:
        known = pg_control.read(pgdata)
    except WalsupError:
        return []  # the next reader of the file reports it
    segment = Segment.containing(known.redo_lsn, known.timeline, known.segment_size)
    return [] if (pgdata / "pg_wal" / segment.name).exists() else [f"pg_wal/{segment.name}"]

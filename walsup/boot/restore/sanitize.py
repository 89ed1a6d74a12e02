"""Makes a fetched base backup this instance's own, in the stage, before it counts.

A base backup contains the identity of its first owner: walsup's own notes, a server's leftovers,
settings made with ALTER SYSTEM that name another archive or another primary (rule operators-files).
"""

import os
import shutil
from collections.abc import Iterable
from pathlib import Path

from walsup import log
from walsup.datadir.restore_state import SIGNAL
from walsup.errors import ArchiveError, DataDirectoryError
from walsup.postgres import config

_AUTO = "postgresql.auto.conf"
_KEPT = "postgresql.auto.conf.before-restore"
_LEFTOVERS = (
    *("postmaster.pid", "postmaster.opts", "recovery.done", "recovery.conf", "standby.signal"),
    *("recovery.signal", "backup_label.old", "tablespace_map.old"),
)
_WAL = "pg_wal"
_TABLESPACES = "tablespace_map"
_EMPTIED = (_WAL, "pg_replslot", "pg_dynshmem", "pg_notify", "pg_stat_tmp", "pg_subtrans")
_NEEDED = ("base", "global/pg_control", "pg_xact", "PG_VERSION", "backup_label")
# Settings of another instance that a restore must not keep.
_FOREIGN = ("archive_", "restore_command", "recovery_", "primary_", "promote_trigger_file")
_FOLDERS = ("pg_commit_ts", "pg_serial", "pg_snapshots", "pg_stat", "pg_tblspc", "pg_twophase")


def make_own(
    data: Path,
    waldir: Path | None,
    host_method: str,
    *,
    signal: str = SIGNAL,
    keeps_wal: bool = False,
) -> None:
    """Turn the copy into one that recovers, and holds nothing of its first owner.

    `signal`: the file that selects the kind of recovery. `keeps_wal`: the copy was made together
    with the WAL that it needs, and is a link to `waldir` already.

    Raises:
        ArchiveError: the copy is not complete.
    """
    lost = [name for name in _NEEDED if not (data / name).exists()]
    if lost:
        raise ArchiveError(
            f"the base backup was fetched, but lacks {', '.join(lost)}",
            hint="restore another base backup (WALSUP_RESTORE_BACKUP), and find out what"
            " deleted objects of this one",
        )
    for path in (*data.glob(".walsup-*"), *(data / name for name in _LEFTOVERS)):
        if path.is_dir() and not path.is_symlink():
            shutil.rmtree(path)
        else:
            path.unlink(missing_ok=True)
    for name in _EMPTIED:
        if name != _WAL or not keeps_wal:
            _empty(data / name)
    for name in _FOLDERS:
        (data / name).mkdir(mode=0o700, exist_ok=True)
    if not keeps_wal:
        _place_wal(data, waldir)
    _clean_auto(data / _AUTO)
    _configure(data, host_method)
    (data / signal).touch(mode=0o600)


def check_files(data: Path, names: Iterable[str], tablespaces: Iterable[str] = ()) -> None:
    """Refuse a copy that lacks files which its base backup lists, or the way to a tablespace.

    WAL-G makes the links itself, and removes the file from which postgres would make them.

    Raises:
        ArchiveError: files are missing.
    """
    left_out = (*_LEFTOVERS, *_EMPTIED, _TABLESPACES)
    lost = [
        name
        for name in names
        if not os.path.lexists(data / name) and name.partition("/")[0] not in left_out
    ]
    if not (data / _TABLESPACES).exists():
        lost += [link for n in tablespaces if not (data / (link := f"pg_tblspc/{n}")).is_symlink()]
    if lost:
        raise ArchiveError(
            f"the base backup was fetched, but {len(lost)} of its files are missing, such as"
            f" {lost[0]}",
            hint="start again; if this repeats, restore another base backup"
            " (WALSUP_RESTORE_BACKUP)",
        )


def _empty(folder: Path) -> None:
    if folder.is_symlink():
        folder.unlink()
    folder.mkdir(mode=0o700, exist_ok=True)
    for entry in folder.iterdir():
        if entry.is_dir() and not entry.is_symlink():
            shutil.rmtree(entry)
        else:
            entry.unlink()


def _place_wal(data: Path, waldir: Path | None) -> None:
    pg_wal = data / "pg_wal"
    if waldir is not None:
        try:
            waldir.mkdir(mode=0o700, parents=True, exist_ok=True)
            pg_wal.rmdir()
            pg_wal.symlink_to(waldir)
        except OSError as fault:
            raise DataDirectoryError(
                f"pg_wal cannot be placed in POSTGRES_INITDB_WALDIR {waldir}: {fault.strerror}",
                hint="mount that volume, with a directory that this user can write to",
            ) from fault
    (pg_wal / "archive_status").mkdir(mode=0o700, exist_ok=True)


def _clean_auto(path: Path) -> None:
    """Remove settings of ALTER SYSTEM that name an archive or a primary."""
    try:
        text = path.read_text(encoding="utf-8", errors="surrogateescape")
    except FileNotFoundError:
        return
    foreign = {
        entry.line: entry.name
        for entry in config.parse(text)
        if isinstance(entry, config.Assignment) and entry.name.startswith(_FOREIGN)
    }
    if not foreign:
        return
    shutil.copy2(path, path.with_name(_KEPT))
    kept = [line for number, line in enumerate(text.split("\n"), 1) if number not in foreign]
    path.write_text("\n".join(kept), encoding="utf-8", errors="surrogateescape")
    log.info("restore.cleaned", names=sorted(set(foreign.values())), copy=_KEPT)


def _configure(data: Path, host_method: str) -> None:
    """Give a cluster the files that it kept elsewhere, as Debian's does."""
    # A link counts by itself: its target belongs to the source, and may only be mounted later.
    if not os.path.lexists(data / "postgresql.conf"):
        text = "# Added by walsup: the backup had none\nlisten_addresses = '*'\n"
        (data / "postgresql.conf").write_text(text, encoding="utf-8")
        log.warning("restore.configured", file="postgresql.conf", problem="the backup had none")
    if not os.path.lexists(data / "pg_hba.conf"):
        text = f"local all all trust\nhost all all all {host_method}\n"
        (data / "pg_hba.conf").write_text(text, encoding="utf-8")
        log.warning("restore.configured", file="pg_hba.conf", problem="the backup had none")
    if not os.path.lexists(data / "pg_ident.conf"):
        (data / "pg_ident.conf").touch()
    for name in ("postgresql.conf", "pg_hba.conf", "pg_ident.conf"):
        if not (data / name).is_symlink():
            (data / name).chmod(0o600)

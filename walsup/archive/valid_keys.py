"""Which objects of an archive count, by their place: only keys directly in their folder. Pure.

A folder below `wal_005/` may hold moved objects or another branch's segments: the names are the
same, the objects are not.
"""

import re
from collections.abc import Iterable

from walsup.archive.paths import BACKUP_FOLDER, WAL_FOLDER
from walsup.postgres.wal import Kind, classify, strip_extension

SENTINEL = "_backup_stop_sentinel.json"

# Source: WAL-G 3.0.9: with WALG_USE_WAL_DELTA it writes what changed in 16 segments beside them.
_DELTA = re.compile(r"[0-9A-F]{24}_delta")
_BACKUP = re.compile(r"base_[0-9A-F]{24}(_D_[0-9A-F]{24})?")


def is_direct(under: str, key: str) -> bool:
    """Return whether an object is directly in a folder, not in a folder below it."""
    name = key.removeprefix(f"{under}/")
    return name not in (key, "") and "/" not in name


def wal_name(key: str) -> str:
    """Return the WAL file's name that a key stands for, without extension; "" if it is none.

    WAL files are segments, history files, labels of base backups and partial segments.
    """
    if not is_direct(WAL_FOLDER, key):
        return ""
    name = strip_extension(key.removeprefix(f"{WAL_FOLDER}/"))
    return "" if classify(name) is Kind.OTHER else name


def backup_name(key: str) -> str:
    """Return the name of the base backup whose sentinel a key is, "" if it is none."""
    if not is_direct(BACKUP_FOLDER, key) or not key.endswith(SENTINEL):
        return ""
    return key.removeprefix(f"{BACKUP_FOLDER}/").removesuffix(SENTINEL)


def parts_folder(backup: str) -> str:
    """Return the folder of a base backup's parts."""
    return f"{BACKUP_FOLDER}/{backup}/tar_partitions"


def ignored(keys: Iterable[str], folders: Iterable[str] = ()) -> tuple[str, ...]:
    """Return the keys and folders of a listing that do not count, in their order.

    `keys`: of `wal_005`, `basebackups_005` or both; `folders`: the folders in them, each with a
    slash at its end. Other files that an engine writes there are not among them.
    """
    found = [key for key in keys if not (wal_name(key) or backup_name(key) or _is_engines(key))]
    return (*found, *(folder for folder in folders if not _is_backups(folder)))


def _is_engines(key: str) -> bool:
    name = strip_extension(key.removeprefix(f"{WAL_FOLDER}/"))
    return is_direct(WAL_FOLDER, key) and _DELTA.fullmatch(name) is not None


def _is_backups(folder: str) -> bool:
    """Return whether a folder is a base backup's, finished or not."""
    above, _, name = folder.rstrip("/").rpartition("/")
    return above == BACKUP_FOLDER and _BACKUP.fullmatch(name) is not None

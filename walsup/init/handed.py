"""The official image's NAME_FILEs, read by root before it has gone: others may not be let in."""

# ruff: noqa: PTH108, PTH116, PTH118, PTH123 -- pathlib would cost PID 1 a megabyte

import os

from walsup.cleaning import cut

_NAMES = ("POSTGRES_USER", "POSTGRES_PASSWORD", "POSTGRES_DB", "POSTGRES_INITDB_ARGS")
_LONGEST_BYTES = 64 << 10


def hand_files(run_dir: str) -> None:
    """As root: put a copy of each into the run directory, and let its variable name that.

    Only what a new cluster is made with: a copy of the bucket's keys would never be renewed. What
    cannot be read is reported by prepare.
    """
    if os.geteuid() != 0:
        return
    owner = os.stat(run_dir)
    for name in _NAMES:
        path = cut(f"{name}_FILE", os.environ.get(f"{name}_FILE", ""))
        copy = os.path.join(run_dir, f"given-{name}")
        if not path or path == copy:
            continue
        try:
            with open(path, "rb") as file:
                _write(copy, file.read(_LONGEST_BYTES), owner)
        except OSError:
            continue
        os.environ[f"{name}_FILE"] = copy


def _write(copy: str, content: bytes, owner: os.stat_result) -> None:
    if os.path.lexists(copy):
        os.unlink(copy)
    # O_EXCL: the directory is the database's user's, who could have put a link there.
    descriptor = os.open(copy, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC, 0o600)
    try:
        os.write(descriptor, content)
        os.fchown(descriptor, owner.st_uid, owner.st_gid)
    finally:
        os.close(descriptor)

"""Secret files that only root may read: copied for the database's user before root is given up.

Compose mounts a secret with the owner and mode of the host's file, and careful operators give those
to root alone. A file that the database's user can read itself is not copied: walsup follows its
changes.
"""

# ruff: noqa: PTH103, PTH108, PTH112, PTH113, PTH114, PTH118, PTH123, PTH208 -- pathlib would cost
# PID 1 a megabyte

import os

from walsup import log
from walsup.system.setting_text import cut

_PREFIXES = (
    *("POSTGRES_", "POSTGRESQL_", "WALSUP_", "AWS_", "WALG_", "S3_", "WALE_", "YC_", "RESTORE_"),
    "CLONE_",
)
# Files of the engine's keys too. A token of Kubernetes' is renewed within the hour: no copy.
_SUFFIXES = ("_FILE", "_KEY_PATH", "_CA_BUNDLE")
_NEVER = ("AWS_WEB_IDENTITY_TOKEN_FILE",)
_DIRECTORIES = ("WALSUP_SECRETS_DIR", "WALSUP_RESTORE_SECRETS_DIR")
_LONGEST_BYTES = 1 << 20
_MOST_FILES = 200


class SecretFiles:
    """What root has read: by variable, the path and its content; `{name: content}` of a folder."""

    __slots__ = ("_files", "_folders")

    def __init__(self) -> None:
        self._files: dict[str, tuple[str, bytes]] = {}
        self._folders: dict[str, tuple[str, dict[str, bytes]]] = {}

    def read(self) -> None:
        """As root: read every secret file that the environment names.

        Prepare reports what cannot be read.
        """
        if os.geteuid() != 0:
            return
        for name, text in os.environ.items():
            path = cut(name, text)
            if name in _DIRECTORIES and path:
                self._folders[name] = (path, _read_folder(path))
            elif path and _names_a_file(name) and (content := _read(path)) is not None:
                self._files[name] = (path, content)

    def keep(self, run_dir: str) -> None:
        """As the database's user: write what it cannot read, and point the variables at that."""
        try:
            _forget(run_dir)
            for name, (path, content) in self._files.items():
                if not os.access(path, os.R_OK):
                    copy = os.path.join(run_dir, f"given-{name}")
                    _write(copy, content)
                    _name_copy(name, path, copy)
            for name, (path, contents) in self._folders.items():
                if not all(os.access(f"{path}/{file}", os.R_OK) for file in contents):
                    copy = os.path.join(run_dir, f"given-{name}")
                    os.makedirs(copy, mode=0o700, exist_ok=True)
                    for file, content in contents.items():
                        _write(os.path.join(copy, file), content)
                    _name_copy(name, path, copy)
        except OSError as fault:  # prepare reports what it cannot read
            log.error("secret.not_copied", problem=str(fault))
        self._files, self._folders = {}, {}


def _names_a_file(name: str) -> bool:
    return name.startswith(_PREFIXES) and name.endswith(_SUFFIXES) and name not in _NEVER


def _name_copy(name: str, path: str, copy: str) -> None:
    os.environ[name] = copy
    log.warning(
        "secret.copied",
        setting=name,
        problem=f"only root can read {path}: a change of it takes effect at the next start",
    )


def _read(path: str) -> "bytes | None":
    if not os.path.isfile(path):
        return None
    try:
        with open(path, "rb") as file:
            return file.read(_LONGEST_BYTES)
    except OSError:
        return None


def _read_folder(path: str) -> "dict[str, bytes]":
    """Return the files that are named like settings."""
    try:
        names = sorted(os.listdir(path))
    except OSError:
        return {}
    names = [name for name in names if name.isidentifier() and name.isupper()]
    contents = {name: _read(f"{path}/{name}") for name in names[:_MOST_FILES]}
    return {name: content for name, content in contents.items() if content is not None}


def _forget(run_dir: str) -> None:
    """Remove the copies of an earlier start of this container."""
    for name in os.listdir(run_dir):
        if not name.startswith("given-"):
            continue
        path = os.path.join(run_dir, name)
        if os.path.isdir(path) and not os.path.islink(path):
            for file in os.listdir(path):
                os.unlink(os.path.join(path, file))
        else:
            os.unlink(path)


def _write(copy: str, content: bytes) -> None:
    descriptor = os.open(copy, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC, 0o600)
    try:
        os.write(descriptor, content)
    finally:
        os.close(descriptor)

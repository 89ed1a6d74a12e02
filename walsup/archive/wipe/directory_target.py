"""The archive in a directory: everything in it, never through a symbolic link.

Unlike the agent, a command may wait for a hung file system: it needs no separate process.
"""

import contextlib
import errno
import os
import re
import stat
import time
from collections.abc import Iterator, Sequence
from itertools import groupby
from pathlib import Path

from walsup.archive.faults import Fault, FaultError, FaultKind
from walsup.archive.paths import OWNER_KEY
from walsup.archive.storage.directory_operations import LOCK
from walsup.archive.wipe.target import Entry, Lock, Refused, Upload
from walsup.settings import FileArchive

_PAGE = 1000
_OPEN = os.O_RDONLY | os.O_DIRECTORY | os.O_NOFOLLOW | os.O_CLOEXEC
_MOUNTS = Path("/proc/self/mountinfo")


class Folder:
    """The files of the archive's directory. Links in it are removed themselves."""

    kept: tuple[str, ...] = (OWNER_KEY, LOCK)
    shows_versions = True  # a directory keeps no versions

    def __init__(self, archive: FileArchive) -> None:
        self._root = archive.directory

    @property
    def now_at(self) -> float:
        """Return this machine's time; a file server's may differ a little."""
        return time.time()

    def entries(self, under: str = "") -> Iterator[list[Entry]]:
        """Yield every file.

        Raises:
            FaultError: the directory is a link, or something is mounted in it.
        """
        self._check_mounts()
        page: list[Entry] = []
        with self._opened("") as root:
            for entry in self._walk(root, ""):
                if entry.key.startswith(under):
                    page.append(entry)
                if len(page) == _PAGE:
                    yield page
                    page = []
        yield page

    def names(self) -> Iterator[list[Entry]]:
        """Yield every file: there is no second kind of listing."""
        return self.entries()

    def uploads(self) -> Iterator[list[Upload]]:
        """Yield nothing: a partial upload is a file."""
        return iter(())

    def upload_bytes(self, _upload: Upload) -> int:
        """Return nothing."""
        return 0

    def batches(self, entries: Sequence[Entry]) -> list[Sequence[Entry]]:
        """Return all of them: a request that hangs cannot be abandoned anyway."""
        return [entries] if entries else []

    def delete(self, entries: Sequence[Entry]) -> list[Refused]:
        """Remove files; one that is already missing counts as removed."""
        for folder, keys in groupby((one.key for one in entries), _folder):
            with contextlib.suppress(FileNotFoundError), self._opened(folder) as opened:
                for key in keys:
                    self._unlink(key, opened)
        return []

    def abort(self, _upload: Upload) -> None:
        """Do nothing."""

    def locks(self) -> bool | None:
        """Return that nothing is locked here."""
        return False

    def lock(self, _entry: Entry) -> Lock | None:
        """Return that nothing is locked here."""
        return None

    def tidy(self) -> None:
        """Remove the directories that have become empty, except the archive's own."""
        with self._opened("") as root:
            self._tidy(root, "")

    def close(self) -> None:
        """Do nothing."""

    def _unlink(self, key: str, folder: int) -> None:
        try:
            os.unlink(key.rpartition("/")[2], dir_fd=folder)
        except FileNotFoundError:
            return
        except OSError as raised:
            raise self._named(raised, key) from raised

    def _tidy(self, folder: int, path: str) -> None:
        with os.scandir(folder) as found:
            names = [one.name for one in found if one.is_dir(follow_symlinks=False)]
        for name in names:
            key = f"{path}{name}"
            try:
                with self._opened(name, folder) as opened:
                    self._tidy(opened, f"{key}/")
                os.rmdir(name, dir_fd=folder)
            except OSError as raised:
                if raised.errno not in (errno.ENOTEMPTY, errno.EEXIST, errno.ENOENT):
                    raise self._named(raised, key) from raised

    def _walk(self, folder: int, path: str) -> Iterator[Entry]:
        with os.scandir(folder) as found:
            for one in found:
                key = f"{path}{one.name}"
                try:
                    status = one.stat(follow_symlinks=False)
                    if stat.S_ISDIR(status.st_mode):
                        with self._opened(one.name, folder) as opened:
                            yield from self._walk(opened, f"{key}/")
                        continue
                except FileNotFoundError:
                    continue  # it was removed in the meantime
                except OSError as raised:
                    raise self._named(raised, key) from raised
                yield Entry(key, status.st_size, status.st_mtime)

    @contextlib.contextmanager
    def _opened(self, path: str, folder: int | None = None) -> Iterator[int]:
        """Open a directory whose path below the archive's root contains no link."""
        descriptor = folder
        try:
            if descriptor is None:
                descriptor = self._open_root()
            for name in path.split("/") if path else ():
                deeper = os.open(name, _OPEN, dir_fd=descriptor)
                if descriptor != folder:
                    os.close(descriptor)
                descriptor = deeper
            yield descriptor
        finally:
            if descriptor is not None and descriptor != folder:
                os.close(descriptor)

    def _open_root(self) -> int:
        try:
            return os.open(self._root, _OPEN)
        except OSError as raised:
            if raised.errno in (errno.ELOOP, errno.ENOTDIR):
                raise FaultError(
                    Fault(
                        kind=FaultKind.NO_RIGHTS,
                        problem=f"{self._root} is a symbolic link, or not a directory",
                        remedy="name the directory itself in WALSUP_ARCHIVE",
                    )
                ) from raised
            if raised.errno == errno.ENOENT:
                raise FileNotFoundError(
                    errno.ENOENT, "NoSuchBucket: no such directory", self._root
                ) from raised
            raise

    def _check_mounts(self) -> None:
        root = f"{os.path.realpath(self._root)}/"
        with _MOUNTS.open(encoding="utf-8", errors="surrogateescape") as lines:
            for line in lines:
                point = re.sub(r"\\(\d{3})", lambda octal: chr(int(octal[1], 8)), line.split()[4])
                if point.startswith(root):
                    raise FaultError(
                        Fault(
                            kind=FaultKind.NO_RIGHTS,
                            problem=f"another file system is mounted at {point}",
                            remedy="unmount it: a wipe does not leave the archive's file system",
                        )
                    )

    def _named(self, raised: OSError, key: str) -> OSError:
        if raised.filename and raised.filename.startswith(self._root):
            return raised
        return OSError(raised.errno, raised.strerror, f"{self._root}/{key}")


def _folder(key: str) -> str:
    return key.rpartition("/")[0]

"""The archive's directory with S3's behaviour: listings, conditional writes, no partial files.

Only the worker process uses it: every call may hang (rule hung-filesystem). Standard library only.
"""

# ruff: noqa: PTH103, PTH105, PTH108, PTH110, PTH112, PTH116, PTH118, PTH120, PTH123 -- pathlib would
# cost this process two megabytes

import contextlib
import errno
import fcntl
import hashlib
import heapq
import os
import re
import time
from collections.abc import Callable, Iterator

from walsup.archive.storage.compression_frames import is_whole
from walsup.system.devices import Device, device

_TEMPORARY = re.compile(r"\.tmp\.(\d+|\d{8}T\d{6}Z-[0-9a-f]+)$")  # WAL-RUS's and walsup's; WAL-G's
_OURS = "walsup"
LOCK = f"{_OURS}/lock"
_LEFT_AFTER_S = 3600.0
_LOCK_PATIENCE_S = 3.0
_TORN_AFTER_S = 10.0
_MOST_TORN = 64
_NO_LINKS = (errno.EPERM, errno.EOPNOTSUPP, errno.ENOSYS, errno.EMLINK)


class ConditionError(Exception):
    """A conditional write failed: the object exists, or has changed."""


class Directory:
    """The archive's directory and its operations; keys are relative to it."""

    def __init__(self, root: str, lively: Callable[[], None]) -> None:
        self._root = root
        self._lively = lively
        self._torn: dict[str, tuple[int, int, float]] = {}

    def get(self, key: str) -> dict[str, object]:
        """Read a complete file."""
        changed_at = 0.0
        with contextlib.suppress(OSError):  # before the read: a later change is noticed
            changed_at = os.stat(self._path(key)).st_mtime
        content = self._read(key)
        return {
            "content": content.decode("latin-1"),
            "etag": _tag(content),
            "changed_at": changed_at,
        }

    def piece(self, key: str, begin: int, size_bytes: int) -> str:
        """Read a part of a file."""
        self._check_root()
        with open(self._path(key), "rb") as file:
            file.seek(begin)
            return file.read(size_bytes).decode("latin-1")

    def create(self, key: str, content: str) -> str:
        """Write a file that must not exist."""
        self._make_root()
        os.makedirs(self._path(_OURS), exist_ok=True)
        self._sweep(_OURS)
        return self._write(key, content.encode("latin-1"), None)

    def replace(self, key: str, content: str, etag: str) -> str:
        """Replace the content that has this tag."""
        return self._write(key, content.encode("latin-1"), etag)

    def page(self, under: str, after: str, limit: int) -> dict[str, object]:
        """Return so many of the files directly in a folder after a key, in S3's order.

        `files`: with size and time of change; `folders`: those in it up to there; `after`: where
        the next page continues, "" when there is none.
        """
        self._check_root()
        files: list[str] = []
        folders: list[str] = []
        for entry in self._scan(under):
            # Anything else (a pipe, a link to nothing) is not an object, and may hang.
            if entry.is_dir():
                folders.append(f"{under}/{entry.name}/")
            elif (key := f"{under}/{entry.name}") > after and entry.is_file():
                files.append(key)
        shown = heapq.nsmallest(limit, files)
        more = len(shown) < len(files)
        return {
            "files": [row for key in shown if (row := self._row(key)) is not None],
            "folders": sorted(f for f in folders if f > after and not (more and f > shown[-1])),
            "after": shown[-1] if more else "",
        }

    def tree(self, under: str, after: str, limit: int) -> list[tuple[str, int, float]]:
        """Return size and time of so many of the files anywhere below a folder, in S3's order."""
        self._check_root()
        keys = heapq.nsmallest(limit, (key for key in self._walk(under) if key > after))
        return [row for key in keys if (row := self._row(key)) is not None]

    def first(self, under: str) -> str:
        """Return any key under a folder."""
        self._check_root()
        return next(self._walk(under), "")

    def settle(self, key: str) -> bool:
        """Return whether a listed file is complete, and make it durable if so."""
        descriptor = os.open(self._path(key), os.O_RDONLY)
        try:
            status = os.fstat(descriptor)
            if not is_whole(descriptor, status.st_size):
                seen = (status.st_size, status.st_mtime_ns)
                known = self._torn.get(key)
                if known is None or known[:2] != seen:
                    self._torn[key] = (*seen, time.monotonic())
                return False
            self._torn.pop(key, None)
            os.fsync(descriptor)
        finally:
            os.close(descriptor)
        _sync(os.path.dirname(self._path(key)))
        return True

    def torn(self, under: str, after: str) -> list[str]:
        """Return unfinished files after `after` that have not grown for 10 s."""
        late_s = time.monotonic() - _TORN_AFTER_S
        half = (key for key in self._names(under, after) if not self.settle(key))
        return [key for key in half if self._torn[key][2] < late_s]

    def discard_torn(self, key: str) -> bool:
        """Remove an unfinished file; return True when it has been removed."""
        if self.settle(key):
            return False
        os.unlink(self._path(key))
        return True

    def device(self) -> Device:
        """Return the device of the directory."""
        self._check_root()
        return device(self._root)

    def probe(self, size_bytes: int) -> None:
        """Raise what a write of this size would raise, after a write of one byte."""
        self._check_root()
        room = os.statvfs(self._root)
        if room.f_bavail * room.f_frsize < size_bytes:
            raise OSError(errno.ENOSPC, f"less than {size_bytes} bytes are free", self._root)
        os.unlink(self._temporary(self._path(f"{_OURS}/probe"), b"\n"))

    def _names(self, under: str, after: str) -> list[str]:
        files = (f"{under}/{entry.name}" for entry in self._scan(under) if entry.is_file())
        return heapq.nsmallest(_MOST_TORN, (key for key in files if key > after))

    def _row(self, key: str) -> tuple[str, int, float] | None:
        try:
            status = os.stat(self._path(key))
        except FileNotFoundError:
            return None  # removed meanwhile
        return key, status.st_size, status.st_mtime

    def _write(self, key: str, content: bytes, etag: str | None) -> str:
        target = self._path(key)
        temporary = self._temporary(target, content)
        try:
            with _Locked(self._path(LOCK)):
                if etag is None:
                    _link(temporary, target)
                elif _tag(self._read(key)) != etag:
                    raise ConditionError(f"{key} has changed")
                else:
                    os.replace(temporary, target)
        finally:
            if os.path.exists(temporary):
                os.unlink(temporary)
        _sync(os.path.dirname(target))
        return _tag(content)

    def _temporary(self, target: str, content: bytes) -> str:
        """Write a durable file beside the target, under a name that no listing shows."""
        os.makedirs(os.path.dirname(target), exist_ok=True)
        # With 24 digits in a row it would look like WAL to WAL-G's delete (rule archive-names); a
        # pid has 7 at most.
        path = f"{target}.tmp.{os.getpid()}{time.time_ns() % 10**12:012}"
        try:
            with open(path, "xb") as file:
                file.write(content)
                file.flush()
                os.fsync(file.fileno())
        except OSError:
            if os.path.exists(path):
                os.unlink(path)
            raise
        return path

    def _sweep(self, under: str) -> None:
        """Remove the temporary files that a kill has left."""
        with os.scandir(self._path(under)) as entries:
            for entry in entries:
                left = _TEMPORARY.search(entry.name)
                if left and time.time() - entry.stat().st_mtime > _LEFT_AFTER_S:
                    os.unlink(entry.path)

    def _read(self, key: str) -> bytes:
        self._check_root()
        with open(self._path(key), "rb") as file:
            return file.read()

    def _path(self, key: str) -> str:
        return os.path.join(self._root, key)

    def _check_root(self) -> None:
        try:
            os.stat(self._root)
        except FileNotFoundError as fault:
            raise FileNotFoundError(
                errno.ENOENT, "NoSuchBucket: no such directory", self._root
            ) from fault

    def _make_root(self) -> None:
        """Create the directory on a volume; on the system's own file system it may be unmounted."""
        parent = os.path.dirname(self._root)
        if os.path.isdir(parent) and os.stat(parent).st_dev != os.stat("/").st_dev:
            os.makedirs(self._root, mode=0o750, exist_ok=True)
        self._check_root()

    def _walk(self, under: str) -> Iterator[str]:
        for entry in self._scan(under):
            key = f"{under}/{entry.name}"
            if entry.is_dir(follow_symlinks=False):  # a link may lead above itself
                yield from self._walk(key)
            else:
                yield key

    def _scan(self, under: str) -> Iterator["os.DirEntry[str]"]:
        try:
            entries = os.scandir(self._path(under))
        except FileNotFoundError:
            return  # as in S3, a folder exists when it has content
        with entries:
            for number, entry in enumerate(entries):
                if number & 0xFFF == 0:
                    self._lively()
                if not _TEMPORARY.search(entry.name):
                    yield entry


class _Locked:
    """An exclusive lock on a file: two writers must not both find the expected tag."""

    def __init__(self, path: str) -> None:
        self._descriptor = os.open(path, os.O_RDWR | os.O_CREAT, 0o644)

    def __enter__(self) -> None:
        until_s = time.monotonic() + _LOCK_PATIENCE_S
        while True:
            try:
                fcntl.flock(self._descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
            except BlockingIOError:
                if time.monotonic() > until_s:
                    os.close(self._descriptor)
                    raise TimeoutError(errno.ETIMEDOUT, "another process holds the lock") from None
                time.sleep(0.02)
            else:
                return

    def __exit__(self, *_: object) -> None:
        os.close(self._descriptor)


def _link(temporary: str, target: str) -> None:
    """Rename the file to its name, which must be free. Under the lock: links may be missing."""
    try:
        os.link(temporary, target)
    except FileExistsError:
        raise ConditionError(f"{target} exists") from None
    except OSError as fault:
        if fault.errno not in _NO_LINKS:
            raise
        if os.path.exists(target):
            raise ConditionError(f"{target} exists") from None
        os.replace(temporary, target)


def _tag(content: bytes) -> str:
    return hashlib.sha256(content).hexdigest()[:32]


def _sync(directory: str) -> None:
    descriptor = os.open(directory, os.O_RDONLY | os.O_DIRECTORY)
    try:
        os.fsync(descriptor)
    except OSError as fault:
        if fault.errno not in (errno.EINVAL, errno.EBADF):  # it does not support that
            raise
    finally:
        os.close(descriptor)

"""The content of an archive, counted, and the reasons against a wipe. Pure."""

from collections import Counter
from collections.abc import Sequence
from typing import NamedTuple

from walsup.archive.paths import BACKUP_FOLDER, CONDITIONS_KEY, OWNER_KEY, WAL_FOLDER
from walsup.archive.wipe.target import Entry, Lock, Upload

_OWN = "walsup"
_FAMILIAR = (WAL_FOLDER, BACKUP_FOLDER, _OWN)
_SHOWN = 5
FRESH_S = 3600.0


class NotDeleted(NamedTuple):
    """What was not deleted, and why."""

    entry: Entry
    lock: Lock


class Objection(NamedTuple):
    """Why nothing is deleted, and what to do."""

    problem: str
    hint: str


class ArchiveContents:
    """Counts the entries of listings, page by page."""

    def __init__(self) -> None:
        self.objects = self.object_bytes = 0
        self.versions = self.version_bytes = 0
        self.markers = 0
        self.uploads = self.upload_bytes = 0
        self.newest_at = 0.0
        self.folders: Counter[str] = Counter()
        self.was_claimed = False  # a walsup wrote here
        self.owner_at = 0.0  # when it was written, by the server's clock
        self.owner_has_versions = False
        self.only_owner = True
        self._below: dict[str, None] = {}
        self._odd: dict[str, None] = {}

    @property
    def is_empty(self) -> bool:
        """Return whether there is nothing at all."""
        return not (self.objects or self.versions or self.markers or self.uploads)

    def add(self, page: Sequence[Entry]) -> None:
        """Count a page of a listing."""
        for one in page:
            self.folders[one.key.partition("/")[0]] += one.latest and not one.marker
            if one.marker:
                self.markers += 1
            elif one.latest:
                self.objects += 1
                self.object_bytes += one.size_bytes
            else:
                self.versions += 1
                self.version_bytes += one.size_bytes
            if one.key == OWNER_KEY and one.latest and not one.marker:
                self.owner_at = one.modified_at
                self.owner_has_versions = one.version not in ("", "null")
            self.was_claimed |= one.key == CONDITIONS_KEY
            self.only_owner &= one.key in (OWNER_KEY, CONDITIONS_KEY)
            self._look(one.key, one.modified_at)

    def add_upload(self, upload: Upload, size_bytes: int) -> None:
        """Count an unfinished upload."""
        self.uploads += 1
        self.upload_bytes += size_bytes
        self.folders[upload.key.partition("/")[0]] += 0
        self.only_owner = False
        self._look(upload.key, upload.begun_at)

    def objection(self) -> Objection | None:
        """Return why this is not one archive that can be wiped."""
        if self._odd:
            return Objection(
                "there are keys with . or .. in their path, which some servers and tools resolve"
                f" to another place: {_some([*self._odd])}",
                "inspect them and remove them by hand: no archive has such keys",
            )
        if self._below:
            return Objection(
                f"there is more than one archive; below it: {_some([*self._below])}",
                "set WALSUP_ARCHIVE to one archive (is a component missing at its end?), and wipe"
                " each of the others separately",
            )
        if not self.is_empty and not any(name in self.folders for name in _FAMILIAR):
            return Objection(
                "this is not an archive: there is neither wal_005/, basebackups_005/ nor walsup/"
                f" in it, but {_some(sorted(self.folders))}",
                "correct WALSUP_ARCHIVE: it must name the folder that contains these three",
            )
        return None

    def _look(self, key: str, at: float) -> None:
        self.newest_at = max(self.newest_at, at)
        for seen, found in ((self._odd, odd(key)), (self._below, archive_below(key))):
            if found and len(seen) <= _SHOWN:
                seen[found] = None


def odd(key: str) -> str:
    """Return a key that could be taken as another place's, "" for any other."""
    return key if {".", ".."} & set(key.split("/")) else ""


def archive_below(key: str) -> str:
    """Return the folder of another archive that contains a key, "" when there is none."""
    parts = key.split("/")
    for depth in range(1, len(parts) - 1):
        if parts[depth] in (WAL_FOLDER, BACKUP_FOLDER) or parts[depth:] == OWNER_KEY.split("/"):
            return "/".join(parts[:depth]) + "/"
    return ""


def unowned(found: ArchiveContents, now_at: float) -> Objection | None:
    """Return why an archive without owner object might still be in use."""
    if (age_s := now_at - found.newest_at) >= FRESH_S:
        return None
    return Objection(
        "without an owner object it is not known whether a database still archives there, and the"
        f" newest object is only {max(0.0, age_s):.0f} s old",
        "stop what archives to it; wipe it when nothing has been written for an hour, or, if you"
        " are sure, with --even-if-fresh",
    )


def _some(names: Sequence[str]) -> str:
    return ", ".join(names[:_SHOWN]) + (", …" if len(names) > _SHOWN else "")

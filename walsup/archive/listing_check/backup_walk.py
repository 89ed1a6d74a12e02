"""Compares the listing of the base backups with their sentinels. Pure.

The keys of a backup's folder are listed without a gap, and its sentinel some time later.
"""

import hashlib
import json
from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime
from typing import Any, NamedTuple

from walsup.archive.catalog.scope import CLOCK_SLACK_S, Counted, Scope
from walsup.archive.paths import BACKUP_FOLDER
from walsup.archive.storage.bucket import Listed
from walsup.archive.valid_keys import backup_name
from walsup.postgres.wal import strip_extension

_METADATA = "files_metadata.json"
_PARTS = "tar_partitions/"
_SHOWN = 3
# The sentinel is an engine's last upload; S3 rejects clocks that differ by 15 minutes.
_UPLOADED_WITHIN_S = 1200.0


class Sentinel(NamedTuple):
    """A sentinel whose backup must be compared part by part, with its list of files."""

    name: str
    key: str
    uploaded_at: float
    has_list: bool


@dataclass(slots=True)
class _Folder:
    """What the listing shows of a backup's folder."""

    digest: Any = field(default_factory=lambda: hashlib.blake2b(digest_size=12))
    sizes: dict[str, int] = field(default_factory=dict)
    times: dict[str, float] = field(default_factory=dict)
    unreadable: dict[str, str] = field(default_factory=dict)
    has_metadata: bool = False

    @property
    def print(self) -> str:
        found: str = self.digest.hexdigest()
        return found


class BackupWalk:
    """Takes the objects of the backup folder in the order of their keys."""

    def __init__(self, scope: Scope) -> None:
        self.objects = self.ignored = 0
        self._scope = scope
        self._folders: dict[str, _Folder] = {}
        self._counted: list[Counted] = []

    def add(self, listed: Listed) -> Sentinel | None:
        """Take the next object; return a sentinel whose backup is new or has changed."""
        self.objects += 1
        rest = listed.key[len(BACKUP_FOLDER) + 1 :]
        name, slash, inner = rest.partition("/")
        if slash:
            self._part(self._folders.setdefault(name, _Folder()), inner, listed)
            return None
        if not (name := backup_name(listed.key)):
            self.ignored += 1
            return None
        folder = self._folders.get(name, _Folder())
        known = self._scope.backups.get(name)
        is_known = known is not None and known.uploaded_at == listed.changed_at
        if known is not None and is_known and known.print_of_parts == folder.print:
            self._folders.pop(name, None)
            self._counted.append(replace(known, chain_problem=""))
            return None
        return Sentinel(name, listed.key, listed.changed_at, folder.has_metadata)

    def _part(self, folder: _Folder, inner: str, listed: Listed) -> None:
        part = inner.removeprefix(_PARTS)
        unreadable = listed.unreadable_class
        if inner == _METADATA:
            folder.has_metadata = listed.size_bytes != 0
        elif part != inner and "/" not in part:
            folder.sizes[part] = listed.size_bytes
            folder.times[part] = listed.changed_at
        else:
            # metadata.json is written again by `wal-g backup-mark`; no restore reads it.
            self.ignored += inner != "metadata.json"
            return
        if unreadable:
            folder.unreadable[inner] = unreadable
        # A lifecycle rule changes neither size nor time.
        row = f"{inner} {listed.size_bytes} {listed.changed_at}"
        folder.digest.update(f"{row} {unreadable}".rstrip().encode() + b"\n")

    def compare(self, sentinel: Sentinel, content: bytes, parts: frozenset[str] | None) -> None:
        """Compare a backup with its sentinel and its list of parts; None: it cannot be read."""
        folder = self._folders.pop(sentinel.name, _Folder())
        known = self._scope.backups.get(sentinel.name)
        try:
            told = _Told.parse(sentinel.name, content)
        except (ValueError, TypeError, AttributeError, RecursionError) as unreadable:
            self._counted.append(
                Counted(
                    name=sentinel.name,
                    start_lsn=known.start_lsn if known else 0,
                    finish_lsn=known.finish_lsn if known else 0,
                    timeline=known.timeline if known else 0,
                    system_id=known.system_id if known else 0,
                    uploaded_at=sentinel.uploaded_at,
                    print_of_parts="",  # read again in each round
                    whole_print=known.whole_print if known else "",
                    problem=f"its sentinel cannot be read ({str(unreadable)[:100]})",
                )
            )
            return
        problem = _problem(folder, told, parts, sentinel.uploaded_at)
        whole_print = known.whole_print if known else ""
        if not problem and whole_print not in ("", folder.print):
            problem = "its parts changed after it was verified"
        counted = told.counted
        if known is not None and known.whole_print and not _is_same(known, counted):
            # Keep the earlier record: the same wrong content must not count as an improvement.
            counted, problem = known, "its sentinel changed after it was verified"
        self._counted.append(
            replace(
                counted,
                uploaded_at=sentinel.uploaded_at,
                print_of_parts=folder.print,
                problem=problem,
                chain_problem="",
                whole_print=whole_print or ("" if problem else folder.print),
            )
        )

    def end(self) -> tuple[Counted, ...]:
        """Return the finished backups. A delta of an incomplete backup is incomplete too."""
        by_name = {one.name: one for one in self._counted}
        return tuple(_with_chain(one, by_name) for one in self._counted)


@dataclass(frozen=True, slots=True)
class _Told:
    """What a sentinel says. Source: WAL-RUS 0.4.1 and WAL-G 3.0.9; LSNs are numbers."""

    counted: Counted
    compressed_bytes: int
    has_metadata: bool

    @classmethod
    def parse(cls, name: str, content: bytes) -> "_Told":
        fields = json.loads(content)
        start_lsn = int(fields["LSN"] or 0) if "LSN" in fields else 0
        try:
            timeline = int(name.removeprefix("base_")[:8], 16)
        except ValueError:
            timeline = 0
        counted = Counted(
            name=name,
            start_lsn=start_lsn,
            finish_lsn=int(fields.get("FinishLSN") or start_lsn),
            timeline=timeline,
            system_id=int(fields.get("SystemIdentifier") or 0),
            uploaded_at=0.0,
            chain=str(fields.get("DeltaFrom") or fields.get("IncrementFrom") or ""),
            finished_at=str(fields.get("FinishTime") or ""),
        )
        compressed = int(fields.get("CompressedSize") or 0)
        return cls(counted, compressed, not fields.get("FilesMetadataDisabled"))


def _problem(  # noqa: PLR0911 (a list of cases)
    folder: _Folder, told: _Told, parts: frozenset[str] | None, uploaded_at: float
) -> str:
    """Return what is wrong with a backup's parts, "" when nothing is."""
    if not folder.sizes:
        return "all its parts are missing"
    if cold := sorted(folder.unreadable):
        return (
            f"{_some(cold)} of it is in storage class {folder.unreadable[cold[0]]}, which cannot be"
            " read before it is retrieved"
        )
    if empty := sorted(part for part, size in folder.sizes.items() if size == 0):
        return f"{_some(empty)} of it is empty"
    there = {strip_extension(part).removesuffix(".enc") for part in folder.sizes}
    if parts is None:
        return f"its {_METADATA} cannot be read"
    if missing := sorted({"pg_control.tar", *parts} - there):
        return f"{_some(missing)} of it is missing"
    total_bytes = sum(folder.sizes.values())
    # Both engines count the bytes that they have uploaded; an unknown size is -1.
    if min(folder.sizes.values()) > 0 and total_bytes < told.compressed_bytes:
        return (
            f"its parts have {total_bytes} bytes, but its sentinel says {told.compressed_bytes}:"
            " one is cut off"
        )
    late = sorted(p for p, at in folder.times.items() if at > uploaded_at + CLOCK_SLACK_S)
    if late and not _is_copied(told.counted.finished_at, uploaded_at):
        return f"{_some(late)} of it was written after it was finished"
    return ""


def _is_same(known: Counted, told: Counted) -> bool:
    names = ("start_lsn", "finish_lsn", "timeline", "system_id", "chain", "finished_at")
    return all(getattr(known, name) == getattr(told, name) for name in names)


def _is_copied(finished_at: str, uploaded_at: float) -> bool:
    """Return whether a sentinel is much later than its backup's end: the archive is then a copy."""
    try:
        finished = datetime.fromisoformat(finished_at)
    except ValueError:
        return True  # the times may not be those of the upload
    if finished.tzinfo is None:
        finished = finished.replace(tzinfo=UTC)
    return uploaded_at - finished.timestamp() > _UPLOADED_WITHIN_S


def _some(names: list[str]) -> str:
    more = f" and {len(names) - _SHOWN} more" if len(names) > _SHOWN else ""
    return ", ".join(names[:_SHOWN]) + more


def _with_chain(one: Counted, by_name: Mapping[str, Counted]) -> Counted:
    seen, found = {one.name}, one
    while found.chain and not one.problem:
        below = by_name.get(found.chain)
        if below is None or below.problem or below.name in seen:
            problem = f"{found.chain}, on which this delta is based, is incomplete"
            return replace(one, chain_problem=problem)
        seen.add(below.name)
        found = below
    return one

"""The finished base backups, as their sentinels describe them, and the note walsup puts there."""

import json
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from types import MappingProxyType

from walsup import log
from walsup.archive.paths import BACKUP_FOLDER
from walsup.archive.storage.bucket import Readable
from walsup.archive.valid_keys import backup_name
from walsup.postgres import config
from walsup.postgres.backup_exclusions import MORE, LeftOut

_NOTE = "walsup"  # in a sentinel's UserData
_SPACES = "tablespace_bytes"
_LEFT_OUT = "left_out"
_MOST_NOTED_BYTES = 1 << 15  # in an argument of the engine, which may have 128 kB


@dataclass(frozen=True, slots=True, kw_only=True)
class Backup:
    """A finished base backup: one with a sentinel. LSNs are bytes, the time is as written there.

    `pg_version` as server_version_num, 0: not known; `size_bytes` of the restored files,
    `compressed_bytes` of the parts; `tablespaces` has the number and the directory of each,
    `data_dir` the data directory that was copied; `preloads` is the cluster's
    shared_preload_libraries, `spaces` the sizes of its tablespaces, as far as walsup noted them
    with the backup; `left_out`: what the backup lacks of the data directory, None: not known.
    """

    name: str
    system_id: int | None
    start_lsn: int
    finish_lsn: int
    finished_at: str
    uploaded_at: float
    delta: bool
    delta_from: str = ""
    pg_version: int = 0
    size_bytes: int = 0
    compressed_bytes: int = 0
    tablespaces: tuple[tuple[str, str], ...] = ()
    preloads: str = ""
    spaces: tuple[tuple[str, int], ...] = ()
    left_out: tuple[LeftOut, ...] | None = None
    data_dir: str = ""

    def space_bytes(self, number: str) -> int:
        """Return the size of a tablespace as it was noted with the backup, 0 when it was not."""
        return dict(self.spaces).get(number, 0)

    @property
    def timeline(self) -> int:
        """Return the backup's timeline, from `base_` and the segment's name; 0: it names none."""
        try:
            return int(self.name.removeprefix("base_")[:8], 16)
        except ValueError:
            return 0


async def backups(bucket: Readable) -> tuple[Backup, ...]:
    """Return the finished base backups, newest upload last."""
    sentinels = sorted(
        (uploaded_at, key)
        for key, uploaded_at in await bucket.folder(BACKUP_FOLDER)
        if backup_name(key)
    )
    found = []
    for at, key in sentinels:
        try:
            found.append(_parse(key, at, (await bucket.get(key)).content))
        except (ValueError, TypeError, AttributeError) as fault:
            # A sentinel that cannot be read must not hide the others.
            log.warning("sentinel.unreadable", key=key, problem=str(fault))
    return tuple(found)


def _parse(key: str, uploaded_at: float, content: bytes) -> Backup:
    """Read a sentinel; WAL-G 0.2 writes no SystemIdentifier."""
    fields = json.loads(content)
    return Backup(
        name=backup_name(key),
        system_id=int(fields["SystemIdentifier"]) if fields.get("SystemIdentifier") else None,
        start_lsn=int(fields.get("LSN") or 0),
        finish_lsn=int(fields.get("FinishLSN") or 0),
        finished_at=str(fields.get("FinishTime") or ""),
        uploaded_at=uploaded_at,
        delta=bool(fields.get("DeltaFrom") or fields.get("IncrementFrom")),
        delta_from=str(fields.get("DeltaFrom") or fields.get("IncrementFrom") or ""),
        pg_version=int(fields.get("PgVersion") or 0),
        size_bytes=int(fields.get("UncompressedSize") or 0),
        compressed_bytes=int(fields.get("CompressedSize") or 0),
        tablespaces=tuple(_tablespaces(fields.get("Spec") or {})),
        data_dir=_data_dir(fields),
        preloads=str(_noted(fields.get("UserData")).get(config.PRELOADED) or ""),
        spaces=tuple(_spaces(_noted(fields.get("UserData")))),
        left_out=_left_out(_noted(fields.get("UserData"))),
    )


def note(
    preloads: str,
    spaces: Mapping[str, int] = MappingProxyType({}),
    left_out: Iterable[LeftOut] = (),
) -> str:
    """Return walsup's note for a base backup, for the engine's option (JSON).

    `spaces`: the sizes of tablespaces in bytes, by their numbers; `left_out`: what is not in it.
    """
    noted: dict[str, object] = {config.PRELOADED: preloads, _LEFT_OUT: _listed(left_out)}
    return json.dumps({_NOTE: noted | ({_SPACES: dict(spaces)} if spaces else {})})


def _listed(left_out: Iterable[LeftOut]) -> list[dict[str, object]]:
    """Return the entries for the note, links first, and how many did not fit."""
    ordered = sorted(left_out, key=lambda one: (one.kind != "link", one.path))
    listed: list[dict[str, object]] = []
    room = _MOST_NOTED_BYTES
    for one in ordered:
        fields = one._asdict()
        room -= len(json.dumps(fields))
        if room < 0:
            more = LeftOut(str(len(ordered) - len(listed)), MORE)
            return [*listed, more._asdict()]
        listed.append(fields)
    return listed


def _left_out(noted: Mapping[str, object]) -> tuple[LeftOut, ...] | None:
    told = noted.get(_LEFT_OUT)
    if not isinstance(told, list):
        return None
    return tuple(
        LeftOut(
            path=str(one.get("path")),
            kind=str(one.get("kind")),
            target=str(one.get("target") or ""),
            dangling=one.get("dangling") is True,
        )
        for one in told
        if isinstance(one, dict)
    )


def _noted(told: object) -> dict[str, object]:
    """Read the note; any other note is an operator's."""
    found = told.get(_NOTE) if isinstance(told, dict) else None
    return found if isinstance(found, dict) else {}


def _spaces(noted: Mapping[str, object]) -> Iterator[tuple[str, int]]:
    told = noted.get(_SPACES)
    for number, size in told.items() if isinstance(told, dict) else ():
        if isinstance(size, int) and size > 0:
            yield str(number), size


def _tablespaces(spec: dict[str, object]) -> Iterator[tuple[str, str]]:
    listed = spec.get("tablespaces")
    for number in listed if isinstance(listed, list) else ():
        place = spec.get(str(number))
        if isinstance(place, dict) and place.get("loc"):
            yield str(number), str(place["loc"])


def _data_dir(fields: Mapping[str, object]) -> str:
    spec = fields.get("Spec")
    told = (spec.get("base_prefix") if isinstance(spec, dict) else "") or fields.get("DataDir")
    return str(told or "").rstrip("/")

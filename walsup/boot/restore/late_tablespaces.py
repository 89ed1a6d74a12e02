"""Tablespaces that were created after the base backup, whose creation a restore replays."""

import os
from collections.abc import Callable, Iterable, Iterator
from pathlib import Path

from walsup.boot import disk_space
from walsup.boot.restore.restore_plan import Findings, RestoreRequest, Selection
from walsup.postgres.tablespaces import locations
from walsup.postgres.tablespaces.creation_records import Created
from walsup.postgres.wal import show_lsn


def unfit(
    request: RestoreRequest,
    selection: Selection,
    findings: Findings,
    not_writable: Callable[[Path], str],
) -> Iterator[str]:
    """Report tablespaces at which the replay would end, as far as the archive's owner lists them.

    A tablespace that the target may leave out is a warning.
    """
    owner, backup = selection.owner, selection.backup
    if owner is None:
        return
    fetched = {int(number) for number, _ in backup.tablespaces}
    for one in owner.tablespaces or ():
        if one.number in fetched or not (problem := unusable(request, one.directory, not_writable)):
            continue
        line = (
            f"tablespace {one.number} was created after base backup {backup.name} in"
            f" {one.directory}: {problem}"
        )
        if request.pgdata and _is_own(request.pgdata, one.directory):
            findings.warnings.append(
                f"{line}; empty that directory too before you restore into this data directory"
            )
        elif _is_reached(request, selection, owner.timeline):
            yield line
        else:
            findings.warnings.append(f"{line}; a recovery that reaches its creation fails there")


def unkept(request: RestoreRequest, selection: Selection) -> Iterator[str]:
    """Yield which tablespaces a restore would make in the container's own file system."""
    owner = selection.owner
    if request.pgdata is None:
        return
    places = {directory for _, directory in selection.backup.tablespaces}
    places |= {one.directory for one in (owner.tablespaces or () if owner else ())}
    yield from _unkept(request.pgdata, places)


def _unkept(pgdata: Path, places: Iterable[str]) -> Iterator[str]:
    for place in sorted(places):
        if locations.on_no_volume(disk_space.existing(pgdata), Path(place)):
            yield (
                f"a tablespace would be in {place}, on the container's own file system, and be"
                " lost with the container: mount a volume there"
            )


def created(  # noqa: PLR0913 (each is one fact)
    request: RestoreRequest,
    selection: Selection,
    findings: Findings,
    *,
    found: Iterable[Created],
    target_lsn: int | None,
    not_writable: Callable[[Path], str],
) -> None:
    """Add to the findings which creations in the WAL cannot be replayed here.

    `target_lsn`: where the target is, None: it is not known, or the target is the end.
    """
    reported = " ".join([*findings.faults, *findings.warnings])
    fetched = {int(number) for number, _ in selection.backup.tablespaces}
    for one in found:
        beyond = target_lsn is not None and one.lsn > target_lsn
        if not one.location or one.number in fetched or beyond or f" {one.location}: " in reported:
            continue
        if problem := unusable(request, one.location, not_writable):
            line = (
                f"the WAL creates tablespace {one.number} at {show_lsn(one.lsn)} in"
                f" {one.location}: {problem}"
            )
            certain = request.target.kind == "end" or target_lsn is not None
            (findings.faults if certain else findings.warnings).append(line)
        elif request.pgdata:
            warned = {*findings.warnings}
            findings.warnings += [
                line for line in _unkept(request.pgdata, [one.location]) if line not in warned
            ]


def unusable(request: RestoreRequest, directory: str, not_writable: Callable[[Path], str]) -> str:
    """Return why the creation of a tablespace there cannot be replayed here, "" when it can."""
    place = Path(directory)
    try:
        held = sorted(path.name for path in place.glob(f"PG_{request.major or '*'}_*"))
    except OSError as fault:
        return str(fault.strerror).lower()
    if held:
        return (
            f"{place / held[0]} holds the files of another server; mount a volume there that"
            " only this instance uses"
        )
    problem = not_writable(disk_space.existing(place))
    return f"{problem}; mount a volume there" if problem else ""


def _is_reached(request: RestoreRequest, selection: Selection, timeline: int) -> bool:
    """Return whether the recovery reaches the owner's tablespaces, once that WAL is archived."""
    if request.target.kind != "end":
        return False
    return any(leg.timeline == timeline for leg in selection.line.legs)


def _is_own(pgdata: Path, directory: str) -> bool:
    there = os.path.realpath(directory)
    return any(os.path.realpath(place) == there for _, place in locations.links(pgdata))

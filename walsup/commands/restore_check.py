"""`walsup restore --check` and `--list`: the checks of a restore, and the catalogue."""

import asyncio
import os
import tempfile
from collections.abc import AsyncIterator, Coroutine, Iterator, Sequence
from datetime import UTC, datetime
from pathlib import Path
from typing import TypeVar

from walsup import units
from walsup.archive.catalog import inventory, listing
from walsup.archive.catalog.archive_reader import PERMANENT, Reader
from walsup.archive.catalog.base_backups import Backup
from walsup.archive.catalog.default_line import latest
from walsup.archive.catalog.timelines import TimelineHistory, reach
from walsup.archive.faults import FaultError
from walsup.archive.storage.fault_mapping import classify
from walsup.boot.current_settings import Current
from walsup.boot.restore import archive_source
from walsup.boot.restore.preflight import examine
from walsup.boot.restore.restore_plan import Refusal, RestorePlan, refuse_repetition
from walsup.boot.restore.run import request_from
from walsup.boot.restore.target import target
from walsup.boot.restore_choice import Choice, choose, for_list, unreadable
from walsup.errors import ArchiveError, DiskFullError
from walsup.postgres.wal import Segment, show_lsn
from walsup.settings import Settings, origin

T = TypeVar("T")

_MOST_TIMELINES = 64


def check(known: Settings, *, deep: bool = False) -> str:
    """Return what a restore would do; `deep`: read all WAL that it would replay.

    Raises:
        ArchiveError: it would fail, with every reason; DiskFullError: it needs only a larger
        volume; ArchiveNotEmptyError: nothing would be restored; SettingsError, EngineError.
    """
    chosen = choose(known)
    known, own = chosen.known, chosen.own
    archive_source.check_key(origin(known, own=own))
    with tempfile.TemporaryDirectory(prefix="walsup-") as scratch:
        reader = archive_source.reader(Current(known, os.environ), Path(scratch), -1, own=own)
        request = request_from(known, (), own=own, disk=known.pgdata.is_dir(), deep=deep)
        plan = _asked(examine(reader, request), chosen.place)
    if own:
        plan = refuse_repetition(plan, request.target)
    if isinstance(plan, Refusal):
        error = DiskFullError if plan.needs_only_room else ArchiveError
        raise error(
            "\n".join(
                [f"{chosen.place} cannot be restored with these settings:", *_marked(plan.faults)]
            ),
            hint="`walsup restore --list` shows what can be reached; nothing has been touched",
        )
    return "\n".join(
        [
            *_told(chosen, plan),
            *_marked(plan.warnings),
            *_concluded(plan, deep=deep),
        ]
    )


def _concluded(plan: RestorePlan, *, deep: bool) -> Iterator[str]:
    """Yield how much of the restore has been verified."""
    yield from (f"read      {note}" for note in plan.notes)
    if plan.unknown:
        yield f"not known: {'; '.join(plan.unknown)} (walsup restore --check --deep reads it)"
        yield "no check found a problem; nothing has been touched"
        return
    if not deep:
        yield (
            "not read: the contents of the parts and of the segments in between (--deep reads the"
            " WAL)"
        )
    yield "the restore would work; nothing has been touched"


def show(known: Settings) -> str:
    """Return the archive's base backups, timelines, and the window of each line.

    Raises:
        ArchiveError: the archive does not answer; SettingsError, EngineError.
    """
    chosen = for_list(known)
    with tempfile.TemporaryDirectory(prefix="walsup-") as scratch:
        current = Current(chosen.known, os.environ)
        reader = archive_source.reader(current, Path(scratch), -1, own=chosen.own)
        lines = _asked(_listing(reader), chosen.place)
    both = known.archive is not None and known.restore_from is not None
    return "\n".join([_source(chosen), *lines] if both else lines)


def _asked(work: Coroutine[object, object, T], place: str) -> T:
    try:
        return asyncio.run(work)
    except Exception as raised:
        fault = classify(raised)
        raise unreadable(place, fault) from raised


def _marked(lines: Sequence[str]) -> list[str]:
    return [f"  ! {line}" for line in lines]


def _source(chosen: Choice) -> str:
    return f"source    {chosen.place}" + (f" ({chosen.why})" if chosen.why else "")


def _told(chosen: Choice, plan: RestorePlan) -> Iterator[str]:
    backup = plan.backup
    yield _source(chosen)
    yield f"backup    {backup.name}, finished {backup.finished_at or 'at an unknown time'}"
    if len(plan.chain) > 1:
        yield f"          a delta of {', '.join(link.name for link in plan.chain[1:])}"
    yield f"timeline  {' to '.join(str(leg.timeline) for leg in plan.line.legs)}"
    yield f"segments  {plan.segment_count}, from {plan.first.name} to {plan.last.name}"
    yield f"target    {target(chosen.known, own=chosen.own)}" + (
        ": it ends at the last commit" if plan.ends == "quiet" else ""
    )
    if plan.commits_until:
        yield f"commits   up to {plan.commits_until}"
    yield f"size      {units.show_bytes(plan.size_bytes)}, without the WAL"


async def _listing(reader: Reader) -> list[str]:
    offer = await inventory.look(reader.bucket)
    followed, problem = await _followed(reader, offer)
    lines = [f"{len(offer.backups)} base backups"]
    for backup in offer.backups:
        lost = await inventory.missing_parts(reader.bucket, backup.name, backup.compressed_bytes)
        kind = f"delta of {backup.delta_from}" if backup.delta_from else "full"
        whole = f"; INCOMPLETE, missing: {', '.join(lost)}" if lost else ""
        branch = "; of a branch" if followed and not _is_on(followed, backup) else ""
        lines.append(
            f"  {backup.name}  {kind}, {units.show_bytes(backup.size_bytes)}, finished"
            f" {backup.finished_at or '?'}, LSN {show_lsn(backup.start_lsn)} to"
            f" {show_lsn(backup.finish_lsn)}{branch}{whole}"
        )
    told = sorted(offer.present, key=lambda n: (_is_branch(offer, followed, n) != "", n))
    for timeline in told[:_MOST_TIMELINES]:
        branch = _is_branch(offer, followed, timeline)
        lines += [line async for line in _of_timeline(reader, offer, timeline, branch)]
    if len(told) > _MOST_TIMELINES:
        lines.append(f"and {len(told) - _MOST_TIMELINES} more timelines")
    if problem:
        lines.append(f"a restore without WALSUP_RESTORE_TARGET_TIMELINE is refused: {problem}")
    if owner := offer.owner:
        until = _moment(owner.complete_until) if owner.complete_until else "not known"
        lines.append(
            f"owner     instance {owner.instance}, {owner.state}, timeline {owner.timeline}, proven"
            f" up to {show_lsn(owner.lsn)}, every commit until {until}"
        )
    return lines


async def _followed(reader: Reader, offer: inventory.Offer) -> tuple[TimelineHistory | None, str]:
    """Return the line that a restore follows when no timeline is named, or why there is none."""
    try:
        return (await latest(reader, offer)).line, ""
    except (FaultError, ValueError) as problem:
        if isinstance(problem, FaultError) and problem.fault.kind not in PERMANENT:
            raise
        return None, str(problem)


def _is_on(followed: TimelineHistory, backup: Backup) -> bool:
    return followed.has(backup.timeline or followed.timeline, backup.finish_lsn)


def _is_branch(offer: inventory.Offer, followed: TimelineHistory | None, timeline: int) -> str:
    """Return that a restore does not follow a timeline unless it is named, "" when it does."""
    if followed is None or timeline in [leg.timeline for leg in followed.legs]:
        return ""
    former = offer.owner is not None and timeline in offer.owner.former
    return ": a branch that an earlier owner left" if former else ": a branch, not the owner's"


async def _of_timeline(
    reader: Reader, offer: inventory.Offer, timeline: int, branch: str
) -> AsyncIterator[str]:
    try:
        line = await inventory.line(reader, timeline)
    except (FaultError, ValueError) as fault:
        yield f"timeline {timeline}{branch}; it cannot be followed: {fault}"
        return
    out_of = "".join(
        f", out of {leg.timeline} at {show_lsn(leg.end_lsn or 0)}" for leg in line.legs[:-1][-1:]
    )
    yield f"timeline {timeline}{out_of}{branch}"
    for backup in offer.backups:
        size = inventory.size(backup)
        if not size or not line.has(backup.timeline, backup.finish_lsn):
            continue
        start = Segment.containing(backup.start_lsn, backup.timeline, size)
        names = [name async for name in listing.from_name(reader.bucket, start.name)]
        found = reach(line, start, names)
        if found.end is None or found.end.end_lsn < backup.finish_lsn:
            yield f"  {backup.name}: the WAL that it needs is missing"
            continue
        hole = f"; {found.hole.name} after it is MISSING" if found.hole else ""
        yield (
            f"  from {backup.name} ({backup.finished_at or '?'}) to {show_lsn(found.end.end_lsn)}"
            f" ({found.end.name}), {found.count} segments{hole}"
        )


def _moment(at: float) -> str:
    return datetime.fromtimestamp(at, UTC).isoformat(sep=" ", timespec="seconds")

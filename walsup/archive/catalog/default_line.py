"""Which line a restore follows when no timeline is named: the owner's, or the only one.

Without an owner object it is unknown whose a timeline is: a fork is reported, and the operator has
to name a timeline.
"""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass

from walsup.archive.catalog import inventory, listing, owner_line
from walsup.archive.catalog.archive_reader import Reader
from walsup.archive.catalog.inventory import Offer
from walsup.archive.catalog.timelines import TimelineHistory, TimelineSpan
from walsup.archive.owner_record import Owner
from walsup.postgres.wal import Kind, classify, show_lsn

_REMEDY = "name the one to restore with WALSUP_RESTORE_TARGET_TIMELINE"
# Each history file costs a start of the engine.
_MOST_READ = 16


@dataclass(frozen=True, slots=True, kw_only=True)
class Latest:
    """The line, and warnings for the operator."""

    line: TimelineHistory
    warnings: tuple[str, ...] = ()


class ForkError(ValueError):
    """More than one timeline is possible; the text names them."""


async def latest(reader: Reader, offer: Offer) -> Latest:
    """Return the line of the archive's owner; without an owner object, the only line.

    Raises:
        ForkError: more than one timeline is possible.
        FaultError: a history file cannot be fetched; ValueError: or not read.
        what the bucket raises.
    """
    if offer.owner is None:
        return await _only_line(reader, offer)
    known = owner_line.line_of(offer.owner)
    if known is None:
        return await _without_line(reader, offer, offer.owner)
    line = owner_line.archived_part(known, offer.present)
    if line.timeline in offer.present and line.timeline > 1:
        archived = await inventory.line(reader, line.timeline)
        if archived.legs != line.legs:
            raise ValueError(
                f"{line.timeline:08X}.history in the archive says {_path(archived)}, and the owner"
                f" object says {_path(line)}: another database has written one of the two"
            )
    if line.timeline == known.timeline:
        return Latest(line=line)
    begin = show_lsn(known.legs[-1].begin_lsn)
    warning = (
        f"the archive's owner started timeline {known.timeline} at {begin}, but no WAL of it"
        f" is archived: the restore follows timeline {line.timeline}"
    )
    return Latest(line=line, warnings=(warning,))


async def _without_line(reader: Reader, offer: Offer, owner: Owner) -> Latest:
    """Return the line of an earlier version's owner object, which names one timeline."""
    found = await inventory.line(reader, owner.timeline)
    above = sorted(number for number in offer.present if number > owner.timeline)
    rivals = owner_line.successors(
        owner, await inventory.readable_lines(reader, above[:_MOST_READ])
    )
    if not rivals:
        return Latest(line=found)
    raise ForkError(
        f"the owner object says timeline {owner.timeline} up to {show_lsn(owner.lsn)}, and"
        " another timeline begins after that; it is not known whether it is the owner's:"
        f" {_names(offer, (found, *rivals))}; {_REMEDY}"
    )


async def _only_line(reader: Reader, offer: Offer) -> Latest:
    """Return the line of an archive without owner object that has one open-ended timeline."""
    newest_first = sorted(offer.present, reverse=True)
    line = next(iter(await inventory.readable_lines(reader, newest_first[:1])), None)
    if line is None and len(newest_first) > 1:
        raise ForkError(
            f"{newest_first[0]:08X}.history is missing or cannot be read, and no owner object says"
            " which timeline is the database's; there are:"
            f" {_names(offer, (), newest_first)}; {_REMEDY}"
        )
    line = line or await inventory.line(reader, newest_first[0] if newest_first else 1)
    open_ended = [line]
    for leg in line.legs[:-1]:
        if leg.timeline in offer.present and await _goes_on(reader, leg, offer):
            own = [one for one in line.legs if one.begin_lsn < leg.begin_lsn]
            last = TimelineSpan(timeline=leg.timeline, begin_lsn=leg.begin_lsn)
            open_ended.append(TimelineHistory(legs=(*own, last)))
    beside = sorted(offer.present - {leg.timeline for leg in line.legs}, reverse=True)
    open_ended += _leaves(await inventory.readable_lines(reader, beside[:_MOST_READ]))
    if len(open_ended) == 1 and not beside:
        return Latest(line=line)
    raise ForkError(
        "more than one timeline is open-ended, and no owner object says which one is the"
        f" database's: {_names(offer, open_ended, beside)}; {_REMEDY}"
    )


async def _goes_on(reader: Reader, leg: TimelineSpan, offer: Offer) -> bool:
    """Return whether a timeline has segments or base backups after the next one left it."""
    end_lsn = leg.end_lsn or 0
    of_it = [backup for backup in offer.backups if backup.timeline == leg.timeline]
    if any(backup.finish_lsn > end_lsn for backup in of_it):
        return True
    sizes = {size for backup in offer.backups if (size := inventory.size(backup))}
    async for name in listing.from_name(reader.bucket, f"{leg.timeline:08X}"):
        if name[:8] > f"{leg.timeline:08X}":
            break
        # Without a base backup the segment size is unknown: then no segment proves anything.
        if classify(name) is Kind.SEGMENT and any(
            (segment := listing.segment(name, size)) and segment.start_lsn >= end_lsn
            for size in sizes
        ):
            return True
    return False


def _leaves(lines: Sequence[TimelineHistory]) -> list[TimelineHistory]:
    """Return the lines that no other line continues."""
    before = {leg.timeline for line in lines for leg in line.legs[:-1]}
    return [line for line in lines if line.timeline not in before]


def _names(offer: Offer, lines: Iterable[TimelineHistory], beside: Iterable[int] = ()) -> str:
    """Return the timelines with their newest base backups, also those without a history."""
    told = {line.timeline: line for line in lines}
    passed = {leg.timeline for line in told.values() for leg in line.legs[:-1]}
    numbers = sorted({*told, *(number for number in beside if number not in passed)})
    return "; ".join(_name(offer, number, told.get(number)) for number in numbers)


def _name(offer: Offer, timeline: int, line: TimelineHistory | None) -> str:
    words = f"timeline {timeline}"
    if line is not None and len(line.legs) > 1:
        before = line.legs[-2]
        words += f", out of {before.timeline} at {show_lsn(before.end_lsn or 0)}"
    newest = [backup for backup in offer.backups if backup.timeline == timeline][-1:]
    if not newest:
        return f"{words}, without a base backup"
    return f"{words}, with {newest[0].name} finished {newest[0].finished_at or '?'}"


def _path(line: TimelineHistory) -> str:
    return " to ".join(
        f"{leg.timeline} (left at {show_lsn(leg.end_lsn)})" if leg.end_lsn else str(leg.timeline)
        for leg in line.legs
    )

"""The links that a base backup leaves out of its data directory: made again, or named."""

import os
from collections.abc import Iterable, Iterator, Sequence
from pathlib import Path

from walsup import log
from walsup.postgres.backup_exclusions import LINK, MORE, LeftOut, shown, walk


def unmet(left_out: Sequence[LeftOut] | None, pgdata: Path) -> Iterator[str]:
    """Yield why a copy in `pgdata` would lack files of its source; None: the list is not known."""
    if not left_out:
        return
    if data := [one for one in left_out if one.is_data and one.kind == LINK]:
        yield (
            f"the base backup does not hold {shown(data)}, which is data of its cluster:"
            " restore a base backup that was taken before this was moved out of the data"
            " directory"
        )
    links = [one for one in left_out if one.kind == LINK and not one.is_data and not one.dangling]
    if lost := [one for one in links if not _leads_somewhere(one, pgdata)]:
        yield (
            f"the data directory had {shown(lost)}, which no base backup holds, and the target"
            " of a link does not exist here: mount it at the same path, or put another file"
            " there; walsup then creates the link again"
        )

    if more := [one for one in left_out if one.kind == MORE]:
        yield (
            f"the base backup leaves out {more[0].path} more files, which its list does not name"
        )


def expected(names: Iterable[str], left_out: Sequence[LeftOut] | None) -> list[str]:
    """Return the files that a copy must have, of those that a base backup's list names.

    WAL-G lists pipes and devices, and restores none.
    """
    special = {one.path for one in left_out or ()}
    return [name for name in names if name not in special]


def make(data: Path, pgdata: Path, left_out: Sequence[LeftOut] | None) -> None:
    """Make links again in a copy in `data` that will become `pgdata`.

    A file of the copy under the name of a link is left as it is. Links that WAL-G restores are
    removed: the target of each is `/` and its own path.
    """
    for one in walk(data):
        if one.kind == LINK and one.target == f"/{one.path}":
            (data / one.path).unlink()
    made = []
    for one in left_out or ():
        place = data / one.path
        if one.kind != LINK or one.is_data or os.path.lexists(place):
            continue
        if not _leads_somewhere(one, pgdata):
            log.warning("restore.link_left_out", path=one.path, target=one.target)
            continue
        place.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
        place.symlink_to(one.target)
        made.append(one.path)
    if made:
        log.info("restore.linked", paths=made)


def _leads_somewhere(one: LeftOut, pgdata: Path) -> bool:
    """Return whether a link leads to something. Targets in the data directory come later."""
    target = Path(os.path.normpath(pgdata / Path(one.path).parent / one.target))
    return target.is_relative_to(pgdata) or target.exists()

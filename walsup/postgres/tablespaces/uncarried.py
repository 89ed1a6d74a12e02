"""Tablespaces that an engine does not back up, or that a restore cannot put back.

Source: WAL-G 3.0.9, bundle.go: it does not follow a tablespace's directory that is a link, leaves
out one in the data directory whose name is on its list, and restores each link of the data
directory as a link to `/` and its own path, so that no directory behind it can be made. WAL-RUS
0.4.1 was tried with each.
"""

import os
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import NamedTuple

from walsup.postgres.backup_exclusions import LINK, LeftOut
from walsup.postgres.tablespaces.locations import links

# Names of directories whose content WAL-G leaves out of a base backup.
_SKIPPED = frozenset(
    (
        *("log", "pg_log", "pg_xlog", "pg_wal", "pgsql_tmp", "pg_dynshmem", "pg_notify"),
        *("pg_replslot", "pg_serial", "pg_stat_tmp", "pg_snapshots", "pg_subtrans"),
        *("postgresql.auto.conf.tmp", "postmaster.pid", "postmaster.opts", "recovery.conf"),
        "standby.signal",
    )
)
WAL_G = "wal-g"


class Uncarried(NamedTuple):
    """A tablespace's directory, why it is lost, and whether with WAL-RUS too."""

    directory: str
    reason: str
    with_any: bool = False

    @property
    def shown(self) -> str:
        """Return a description for an operator."""
        return f"the tablespace in {self.directory}: {self.reason}"


def find(pgdata: Path, engine: str) -> list[Uncarried]:
    """Return the tablespaces of a data directory that a restore would lack."""
    home = os.path.realpath(pgdata)
    roots = {home} if engine == WAL_G else {home, str(pgdata)}
    found: list[Uncarried] = []
    for _, location in links(pgdata):
        above = [root for root in roots if location.is_relative_to(root) and str(location) != root]
        if above:
            found += _inside(home, location, Path(above[0]), engine)
        elif engine == WAL_G and location.is_symlink():
            found.append(Uncarried(str(location), "it is a link, which WAL-G does not follow"))
    return sorted(found)


def _inside(home: str, location: Path, root: Path, engine: str) -> Iterator[Uncarried]:
    below = location.relative_to(root)
    for part in (below, *below.parents):
        if part.parts and (root / part).is_symlink():
            leads_out = not Path(os.path.realpath(root / part)).is_relative_to(home)
            if leads_out or engine == WAL_G:
                reason = f"its path leads through the link {part} in the data directory"
                yield Uncarried(str(location), reason, leads_out)
                return
    if engine == WAL_G and below.name in _SKIPPED:
        reason = f"WAL-G leaves out directories of the data directory named {below.name}"
        yield Uncarried(str(location), reason)


def behind_links(
    within: dict[str, Path], left_out: Iterable[LeftOut] | None, engine: str
) -> Iterator[str]:
    """Return why tablespaces inside a data directory cannot be restored to their place.

    `within`: where they are, below it. WAL-RUS restores one behind a link that leads to another
    place of the data directory.
    """
    for one in left_out or ():
        if one.kind != LINK or (engine != WAL_G and not one.target.startswith("/")):
            continue
        for relative in within.values():
            if relative.is_relative_to(one.path):
                yield (
                    f"the tablespace in {relative} of the data directory cannot be restored: its"
                    f" path leads through {one.shown}; restore a base backup that was taken before"
                    " it was created"
                )

"""Latest is the owner's line; without an owner object, the only one that is open-ended."""

from collections.abc import AsyncIterator, Mapping
from pathlib import Path
from types import SimpleNamespace
from typing import Any, cast

import pytest

from walsup.archive.catalog import default_line, owner_line
from walsup.archive.catalog.archive_reader import Reader
from walsup.archive.catalog.base_backups import Backup
from walsup.archive.catalog.default_line import ForkError
from walsup.archive.catalog.inventory import Offer
from walsup.archive.faults import Fault, FaultError, FaultKind
from walsup.archive.owner_record import Owner
from walsup.archive.storage.bucket import Listed, ListingPage
from walsup.postgres.wal import Segment, Switch

SIZE = 1 << 24
OWNER = Owner(
    system_id=7,
    instance="i",
    boot="b",
    epoch=3,
    timeline=1,
    lsn=6 * SIZE,
    state="stopped",
    compression="zstd",
)


def _left(*at: tuple[int, int]) -> list[Switch]:
    return [Switch(timeline=n, switch_lsn=lsn, reason="") for n, lsn in at]


def _name(number: int, timeline: int) -> str:
    return Segment(timeline=timeline, number=number, size=SIZE).name


def _backup(timeline: int, number: int) -> Backup:
    return Backup(
        name=f"base_{_name(number, timeline)}",
        system_id=7,
        start_lsn=number * SIZE + 40,
        finish_lsn=number * SIZE + 300,
        finished_at="2026-01-01T01:00:00Z",
        uploaded_at=0.0,
        delta=False,
    )


class Archive:
    """History files and segments; a reader of them in the engine's place."""

    def __init__(self, scratch: Path, names: list[str], histories: Mapping[int, str]) -> None:
        self._scratch = scratch
        self._histories = histories
        found = [*names, *(f"{number:08X}.history" for number in histories)]
        self._keys = sorted(f"wal_005/{name}.zst" for name in found)
        self.bucket = SimpleNamespace(pages=self._list)

    async def _list(self, _under: str, after: str = "") -> AsyncIterator[ListingPage]:
        yield ListingPage(tuple(Listed(key, 1, 1.0) for key in self._keys if key > after))

    async def fetch(self, name: str) -> Path:
        """Give a history file."""
        if int(name[:8], 16) not in self._histories:
            raise FaultError(Fault(FaultKind.ENGINE_BROKEN, f"{name} not found"))
        path = self._scratch / name
        path.write_text(self._histories[int(name[:8], 16)])
        return path


FROM_1 = "1\t0/4000100\tno recovery target specified\n"  # in segment 4
LATER = "1\t0/7000100\tno recovery target specified\n"


async def _latest(
    scratch: Path,
    names: list[str],
    histories: Mapping[int, str],
    owner: Owner | None = None,
    backups: tuple[Backup, ...] = (),
) -> default_line.Latest:
    archive = Archive(scratch, names, histories)
    present = sorted({int(name[:8], 16) for name in names} | set(histories))
    offer = Offer(backups=backups or (_backup(1, 2),), timelines=tuple(present), owner=owner)
    return await default_line.latest(cast("Reader", archive), offer)


UP_TO_4 = [_name(n, 1) for n in (2, 3, 4)]


@pytest.mark.parametrize(
    ("names", "histories", "timeline"),
    [
        (UP_TO_4, {}, 1),
        ([*UP_TO_4, _name(4, 2)], {2: FROM_1}, 2),
        (UP_TO_4, {2: FROM_1}, 2),
        ([*UP_TO_4, _name(4, 2), _name(4, 3)], {2: FROM_1, 3: FROM_1 + "2\t0/4000200\tx\n"}, 3),
        ([_name(4, 3)], {3: FROM_1 + "2\t0/4000200\tx\n"}, 3),
    ],
)
async def test_a_plain_promoted_history_is_no_fork(
    tmp_path: Path, names: list[str], histories: Mapping[int, str], timeline: int
) -> None:
    """One timeline ended where the next began."""
    assert (await _latest(tmp_path, names, histories)).line.timeline == timeline


@pytest.mark.parametrize(
    ("names", "histories", "named"),
    [
        ([*UP_TO_4, _name(5, 1), _name(4, 2)], {2: FROM_1}, ("timeline 1", "timeline 2, out of 1")),
        ([*UP_TO_4, _name(5, 1)], {2: FROM_1}, ("timeline 1", "timeline 2, out of 1")),
        (UP_TO_4, {2: FROM_1, 0xFFFFFFFF: "?"}, ("timeline 2", "timeline 4294967295")),
        (UP_TO_4, {2: FROM_1, 3: FROM_1}, ("timeline 2, out of 1", "timeline 3, out of 1")),
        ([*UP_TO_4, _name(4, 2), _name(4, 3)], {3: FROM_1}, ("timeline 2,", "timeline 3, out of")),
        (
            [*UP_TO_4, _name(9, 2)],
            {2: FROM_1, 3: FROM_1 + "2\t0/6000200\tx\n"},
            ("timeline 2, out of 1", "timeline 3, out of 2"),
        ),
    ],
)
async def test_a_fork_without_owner_is_asked_about(
    tmp_path: Path, names: list[str], histories: Mapping[int, str], named: tuple[str, ...]
) -> None:
    """Every timeline that is open-ended is named."""
    with pytest.raises(ForkError, match="WALSUP_RESTORE_TARGET_TIMELINE") as asked:
        await _latest(tmp_path, names, histories)
    assert [words for words in named if words not in str(asked.value)] == []


async def test_a_base_backup_behind_a_switch_is_a_fork_too(tmp_path: Path) -> None:
    """Its WAL may have been removed."""
    backups = (_backup(1, 2), _backup(1, 7))
    with pytest.raises(ForkError, match=f"timeline 1, with {backups[1].name}"):
        await _latest(tmp_path, UP_TO_4, {2: FROM_1}, backups=backups)


def _own(timeline: int, *left: tuple[int, int]) -> Owner:
    return owner_line.claimed(OWNER, None, timeline, _left(*left))


@pytest.mark.parametrize(
    "branch", [{2: FROM_1}, {2: LATER}, {7: "what is this"}, {2: FROM_1, 3: LATER}]
)
async def test_latest_is_the_owners_line(tmp_path: Path, branch: Mapping[int, str]) -> None:
    """Whatever number another has, and wherever it begins."""
    names = [*UP_TO_4, _name(5, 1), *(_name(9, number) for number in branch)]
    found = await _latest(tmp_path, names, branch, _own(1))
    assert (found.line.timeline, found.warnings) == (1, ())


async def test_latest_is_the_owners_line_of_which_something_is_archived(tmp_path: Path) -> None:
    """It may have claimed a moment ago, and have said so; a branch is never taken instead."""
    own = _own(3, (1, 4 * SIZE + 0x100))
    histories = {2: FROM_1, 3: FROM_1}
    found = await _latest(tmp_path, UP_TO_4, histories, own)
    assert (found.line.timeline, found.warnings) == (3, ())
    found = await _latest(tmp_path, UP_TO_4, {2: FROM_1}, own)
    assert found.line.timeline == 1
    assert "started timeline 3 at 0/4000100" in found.warnings[0]
    found = await _latest(tmp_path, [_name(9, 2)], {2: FROM_1}, own, (_backup(2, 9),))
    assert found.line.timeline == 1


async def test_a_history_that_another_has_written_over_the_owners(tmp_path: Path) -> None:
    """The names are the owner's, the objects are not."""
    with pytest.raises(ValueError, match="another database has written one of the two"):
        await _latest(tmp_path, UP_TO_4, {2: LATER}, _own(2, (1, 4 * SIZE + 0x100)))


async def test_an_owner_object_of_an_earlier_version(tmp_path: Path) -> None:
    """It tells one timeline: what begins before its proven end is a branch, the rest may be its."""
    names = [*UP_TO_4, _name(5, 1), _name(9, 2)]
    assert (await _latest(tmp_path, names, {2: FROM_1}, OWNER)).line.timeline == 1
    with pytest.raises(ForkError, match=r"timeline 1, with .*; timeline 2, out of 1 at 0/7000100"):
        await _latest(tmp_path, names, {2: LATER}, OWNER)


def test_timelines_of_earlier_owners_stay_known() -> None:
    """A restore to the past leaves one behind, which is no stranger's."""
    first = _own(2, (1, 100))
    second = owner_line.claimed(OWNER, first, 3, _left((1, 50)))
    assert (second.own_timeline, second.left, second.former) == (3, ((1, 50),), (2,))
    third = owner_line.claimed(OWNER, second, 4, _left((1, 50), (2, 70)))
    assert third.former == (3,)
    other: Any = owner_line.claimed(OWNER, Owner(**{**_fields(third), "system_id": 8}), 1)
    assert other.former == ()


def _fields(owner: Owner) -> dict[str, Any]:
    return {name: getattr(owner, name) for name in Owner.__dataclass_fields__}

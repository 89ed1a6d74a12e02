"""Which directories outside of PGDATA are the cluster's own."""

import os
import pwd
from pathlib import Path

import pytest

from walsup.errors import PermissionsError
from walsup.init.root.handover import hand_over, is_anothers, linked

_SEGMENT = "000000010000000000000001"


def outside(pgdata: Path, link: str, *names: str) -> Path:
    """A directory with these folders in it, to which a link in PGDATA leads."""
    target = pgdata.parent / f"target of {link.replace('/', '-')}"
    for name in names:
        (target / name).mkdir(parents=True, exist_ok=True)
    target.mkdir(exist_ok=True)
    (pgdata / link).parent.mkdir(parents=True, exist_ok=True)
    (pgdata / link).symlink_to(target)
    return target


@pytest.mark.parametrize(
    ("names", "is_ours"),
    [
        ((_SEGMENT, "archive_status", "00000002.history", "lost+found"), True),
        ((f"{_SEGMENT}.partial", "summaries", "xlogtemp.7", ".wal-g", "walg_data"), True),
        ((), False),
        (("archive_status",), False),
        ((_SEGMENT, "passwd"), False),
        ((_SEGMENT.replace("1", "g"),), False),
    ],
)
def test_the_target_of_pg_wal(tmp_path: Path, names: tuple[str, ...], is_ours: bool) -> None:  # noqa: FBT001
    """Only what holds WAL and nothing else: the database's user could have made the link."""
    (tmp_path / "data").mkdir()
    target = outside(tmp_path / "data", "pg_wal", *names)
    expected = [str(target)] if is_ours else []
    assert list(linked(str(tmp_path / "data"), os.getuid())) == expected


@pytest.mark.parametrize(
    ("names", "uid", "is_ours"),
    [
        (("PG_15_202209061", "lost+found"), os.getuid(), True),
        (("PG_9.6_201608131",), os.getuid(), False),
        (("PG_15_202209061", "holiday"), os.getuid(), False),
        ((), os.getuid(), False),
        (("PG_15_202209061",), os.getuid() + 1, False),
    ],
)
def test_the_target_of_a_tablespace(
    tmp_path: Path,
    names: tuple[str, ...],
    uid: int,
    is_ours: bool,  # noqa: FBT001 (pytest calls it by name)
) -> None:
    """Another user's may be another cluster's."""
    (tmp_path / "data").mkdir()
    target = outside(tmp_path / "data", "pg_tblspc/16384", *names)
    assert list(linked(str(tmp_path / "data"), uid)) == ([str(target)] if is_ours else [])


def test_links_that_lead_nowhere_are_passed_over(tmp_path: Path) -> None:
    """What is missing is told by who looks at the directory."""
    (tmp_path / "pg_tblspc").mkdir()
    (tmp_path / "pg_wal").symlink_to("/nowhere")
    (tmp_path / "pg_tblspc" / "1").symlink_to("/nowhere")
    (tmp_path / "pg_tblspc" / "not-a-number").symlink_to(tmp_path)
    assert list(linked(str(tmp_path), os.getuid())) == []


def test_what_would_be_given_away(tmp_path: Path) -> None:
    """An empty directory holds nothing that anybody could miss."""
    mine, other = os.getuid(), os.getuid() + 1
    (tmp_path / "lost+found").mkdir()
    assert not is_anothers(str(tmp_path), other)
    (tmp_path / "file").touch()
    assert is_anothers(str(tmp_path), other)
    assert not is_anothers(str(tmp_path), mine)


def test_nothing_is_given_away_when_a_part_would_stay_behind(tmp_path: Path) -> None:
    """The directory would be of no use to either user."""
    if os.getuid():
        pytest.skip("needs root")
    data, owner, other = tmp_path / "data", pwd.getpwnam("nobody"), 4711
    data.mkdir()
    target = outside(data, "pg_wal", _SEGMENT)
    (target / "holiday.jpg").touch()
    for path in (target, data):
        os.chown(path, other, other)
    with pytest.raises(PermissionsError, match="holds other files"):
        hand_over(str(data), "", owner)
    assert {path.stat().st_uid for path in (data, target)} == {other}
    (target / "holiday.jpg").unlink()
    hand_over(str(data), "", owner)
    assert {path.stat().st_uid for path in (data, target)} == {owner.pw_uid}

"""Tablespaces that a restore would lack: which they are, with which engine."""

from pathlib import Path

import pytest

from walsup.postgres.backup_exclusions import LINK, LeftOut
from walsup.postgres.tablespaces import uncarried


@pytest.mark.parametrize(
    ("place", "with_walg", "with_walrus"),
    [
        ("data/spaces/in side/ü", 0, 0),
        ("data/log/space", 0, 0),
        ("data/pg_wal/space", 0, 0),
        ("out/log", 0, 0),
        ("out/nested/nested", 0, 0),
        ("data/log", 1, 0),
        ("data/link/space", 1, 0),
        ("data/link", 1, 0),
        ("data/away/space", 1, 1),
        ("outlink", 1, 0),
        ("outlink/space", 0, 0),
        ("data2/link", 0, 0),
    ],
)
def test_which_tablespaces_a_restore_would_lack(
    tmp_path: Path, place: str, with_walg: int, with_walrus: int
) -> None:
    """Those behind links of the data directory, and those that WAL-G leaves out."""
    data = tmp_path / "data"
    for folder in ("data/pg_tblspc", "data/inner", "out", "data2"):
        (tmp_path / folder).mkdir(parents=True)
    (data / "link").symlink_to(data / "inner")
    (data / "away").symlink_to(tmp_path / "out")
    (tmp_path / "outlink").symlink_to(tmp_path / "out")
    (tmp_path / place).mkdir(parents=True, exist_ok=True)
    (data / "pg_tblspc" / "16384").symlink_to(tmp_path / place)
    for engine, lacks in (("wal-g", with_walg), ("walrus", with_walrus)):
        found = uncarried.find(data, engine)
        assert [one.directory for one in found] == [str(tmp_path / place)] * lacks
        assert all(one.with_any == bool(with_walrus) for one in found)


def test_a_restore_names_a_tablespace_behind_a_link() -> None:
    """WAL-RUS restores one whose link leads to a place in the data directory."""
    within = {"1": Path("link/space"), "2": Path("away/space"), "3": Path("linked/space")}
    left_out = (LeftOut("away", LINK, "/out"), LeftOut("link", LINK, "inner"))
    assert len(list(uncarried.behind_links(within, left_out, "wal-g"))) == 2
    (told,) = uncarried.behind_links(within, left_out, "walrus")
    assert "the tablespace in away/space of" in told
    assert list(uncarried.behind_links(within, None, "wal-g")) == []

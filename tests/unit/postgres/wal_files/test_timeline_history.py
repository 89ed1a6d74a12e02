"""The timelines whose history files are in pg_wal."""

from pathlib import Path

from walsup.postgres.wal_files import timeline_history


def test_the_newest_timeline_is_that_of_the_highest_history_file(tmp_path: Path) -> None:
    """Numbers are hexadecimal; other files that end so are no histories."""
    pg_wal = tmp_path / "pg_wal"
    pg_wal.mkdir()
    assert timeline_history.newest(tmp_path) == 1
    for name in ("00000002.history", "0000000A.history", "00000009.history"):
        (pg_wal / name).touch()
    (pg_wal / "RECOVERYHISTORY.history").touch()
    (pg_wal / "0000000B.history.ready").touch()
    assert timeline_history.newest(tmp_path) == 10

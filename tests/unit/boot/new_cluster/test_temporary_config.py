"""A configuration file elsewhere, as the stage's server reads it."""

from pathlib import Path

import pytest

from walsup.boot.new_cluster.temporary_config import with_config
from walsup.postgres import config


@pytest.fixture
def base(tmp_path: Path) -> Path:
    """PGDATA with a stage in it, and a run directory."""
    data = tmp_path / "data" / ".walsup-stage" / "data"
    data.mkdir(parents=True)
    (tmp_path / "run").mkdir()
    (data / "postgresql.conf").write_text("port = 1\ninclude_dir = 'conf.d'\n")
    (data / "conf.d").mkdir()
    (data / "conf.d" / "1.conf").write_text("work_mem = '2MB'\n")
    return tmp_path


def read(base: Path, text: str) -> dict[str, str] | None:
    """What the stage's server reads in the place of this file; None: the file itself."""
    file = base / "my.conf"
    file.write_bytes(text.encode("latin-1"))
    own = ("-c", f"config_file={file}", "-c", "port=2")
    pgdata = base / "data"
    found = with_config(own, pgdata, pgdata / ".walsup-stage" / "data", base / "run")
    if found == own:
        return None
    assert found[: len(own)] == own
    name, _, path = found[-1].partition("=")
    assert name == "config_file"
    return config.from_files(Path(path), base).values


def test_a_file_that_includes_nothing_of_pgdata_is_read_itself(base: Path) -> None:
    """Nor does no file at all become one."""
    (base / "other.conf").touch()
    assert read(base, "include 'other.conf'\nwork_mem = 1MB\n") is None
    assert with_config(("-c", "port=2"), base / "data", base / "data/s", base / "run") == (
        "-c",
        "port=2",
    )


def test_files_of_pgdata_are_read_in_the_stage(base: Path) -> None:
    """With what they include, in the order of their effect, whatever the values hold."""
    found = read(
        base,
        f"work_mem = 1MB\ninclude '{base}/data/../data/postgresql.conf'\n"
        "cluster_name = 'it''s \\\\ \\n \xe9'\n",
    )
    assert found is not None
    assert (found["port"], found["work_mem"]) == ("1", "2MB")
    assert found["cluster_name"].encode(errors="surrogateescape") == b"it's \\ \n \xe9"

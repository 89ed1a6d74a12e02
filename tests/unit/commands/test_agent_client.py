"""Where a command looks for the agent of its data directory, and what it takes for another's."""

from pathlib import Path
from typing import Any

import pytest

from walsup.commands.agent_client import OtherAgentError, _compare
from walsup.datadir import markers
from walsup.init.early_settings import default_run_dir, run_dirs


def test_root_finds_the_run_directory_of_the_databases_user() -> None:
    """Whatever that user could write to; a directory that was named is the only one."""
    found = run_dirs({}, 0, 999, "/data/pg")
    assert found[0] == "/run/walsup"
    assert next(path for path in found if path.startswith("/tmp/")).startswith("/tmp/walsup-999-")
    assert run_dirs({"WALSUP_RUN_DIR": "/x"}, 0, 999, "/data/pg") == ["/x"]
    assert default_run_dir({}, 999, "/data/pg") in run_dirs({}, 999, 999, "/data/pg/")


@pytest.mark.parametrize(
    ("changed", "boot"),
    [
        ({"place": "elsewhere"}, None),
        ({"place": "elsewhere"}, "this"),
        ({"boot": "earlier"}, "this"),
        ({"place": ""}, None),
        ({"place": "", "boot": ""}, "this"),
    ],
)
def test_what_is_not_proven_to_be_ours_is_anothers(
    tmp_path: Path, changed: dict[str, Any], boot: str | None
) -> None:
    """The data directory and the start are compared, where they are known; one has to be."""
    ours = {"place": markers.place(tmp_path), "boot": "this", "pgdata": str(tmp_path)}
    _compare(ours, tmp_path, "port 1", "this")
    _compare(ours, tmp_path, "port 1", None)
    with pytest.raises(OtherAgentError, match="port 1"):
        _compare(ours | changed, tmp_path, "port 1", boot)


def test_without_a_data_directory_the_start_decides(tmp_path: Path) -> None:
    """A sidecar that has the run directory alone."""
    _compare({"place": "p", "boot": "this"}, tmp_path / "none", "port 1", "this")
    with pytest.raises(OtherAgentError, match="cannot be determined"):
        _compare({"place": "p", "boot": "this"}, tmp_path / "none", "port 1", None)

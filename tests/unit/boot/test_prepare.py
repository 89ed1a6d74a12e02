"""The phases of a start: what PID 1 is sent, and in which order."""

import json
from collections.abc import Iterator
from pathlib import Path
from tempfile import TemporaryDirectory

import pytest

from walsup.boot.handover import AGENT_FILE
from walsup.boot.prepare import Prepare
from walsup.errors import ContractError, DataDirectoryError, WalsupError
from walsup.pid1_messages import FromPrepare, StartAgent, StartPostgres
from walsup.settings import load


@pytest.fixture
def run_dir(monkeypatch: pytest.MonkeyPatch) -> Iterator[Path]:
    """The run directory of a start, with a path that is short enough for a socket."""
    with TemporaryDirectory(prefix="walsup-unit-") as folder:
        monkeypatch.setenv("WALSUP_RUN_DIR", folder)
        yield Path(folder)


def _start(pgdata: Path, **more: str) -> tuple[list[FromPrepare], WalsupError | None]:
    """Return what PID 1 was sent, and the refusal."""
    sent: list[FromPrepare] = []
    try:
        Prepare(load({"PGDATA": str(pgdata), **more}), [], -1, sent.append).run()
    except WalsupError as refusal:
        return sent, refusal
    return sent, None


@pytest.mark.usefixtures("run_dir")
def test_postgres_is_launched_before_the_agent_where_a_database_is(pgdata: Path) -> None:
    """The agent comes a moment later: its imports would delay postgres."""
    sent, refusal = _start(pgdata)
    assert refusal is None
    postgres, agent = sent
    assert isinstance(postgres, StartPostgres)
    assert isinstance(agent, StartAgent)
    assert agent.after_s > 0


def test_the_agent_is_launched_before_a_data_directory_is_made(
    tmp_path: Path, run_dir: Path
) -> None:
    """The agent answers probes while the archive is asked, even when the start is refused then."""
    pgdata = tmp_path / "empty"
    pgdata.mkdir()
    sent, refusal = _start(pgdata)
    assert isinstance(refusal, ContractError)
    (agent,) = sent
    assert isinstance(agent, StartAgent)
    assert agent.after_s == 0
    assert json.loads((run_dir / AGENT_FILE).read_text())["pgdata"] == str(pgdata)


def test_nothing_is_launched_on_files_that_are_no_database(tmp_path: Path, run_dir: Path) -> None:
    """A refusal that needs no archive comes before the agent."""
    pgdata = tmp_path / "foreign"
    pgdata.mkdir()
    (pgdata / "letter.txt").touch()
    sent, refusal = _start(pgdata)
    assert isinstance(refusal, DataDirectoryError)
    assert sent == []
    assert not (run_dir / AGENT_FILE).exists()

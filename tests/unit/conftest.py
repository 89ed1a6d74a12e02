"""What the unit tests share: one real data directory for all of them."""

import shutil
from collections.abc import Iterator
from pathlib import Path
from tempfile import mkdtemp

import pytest

from dev.harness import Machine
from dev.harness.processes.pg import PgTools


@pytest.fixture(scope="session")
def cluster(machine: Machine) -> Iterator[Path]:
    """A data directory as initdb makes it; nobody changes it."""
    folder = Path(mkdtemp(prefix="walsup-unit-"))
    machine.give_to_database(folder)
    PgTools(machine.bindir, db_user=machine.db_user).initdb(folder / "data")
    yield folder / "data"
    shutil.rmtree(folder)


@pytest.fixture
def pgdata(cluster: Path, tmp_path: Path) -> Path:
    """A copy of it, to be spoilt."""
    # Only what is looked at: a whole cluster has a thousand files.
    skipped = shutil.ignore_patterns("[0-9]*_*", "[0-9]*[0-9]", "pg_stat*")
    return shutil.copytree(cluster, tmp_path / "data", symlinks=True, ignore=skipped)

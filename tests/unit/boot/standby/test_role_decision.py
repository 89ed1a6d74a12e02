"""What a directory is started as, where the role leaves that to the archive."""

from dataclasses import replace
from pathlib import Path

import pytest

from dev.harness import Machine
from tests.unit.archive.ownership.test_admission import OWNER
from walsup.archive.owner_record import Owner
from walsup.archive.paths import OWNER_KEY
from walsup.boot.current_settings import Current
from walsup.boot.handover import Handover
from walsup.boot.plan import Cluster, Empty, Found
from walsup.boot.standby import role_decision
from walsup.datadir import markers
from walsup.errors import DataDirectoryError, SettingsError
from walsup.pid1_messages import FromPrepare
from walsup.postgres import pg_control, standby_signal
from walsup.postgres.pg_control import DBState
from walsup.settings import Settings, load


class Start:
    """A start with WALSUP_ROLE=auto, and what it has sent to PID 1."""

    def __init__(self, pgdata: Path, base: Path, engine: str) -> None:
        self.archive = base / "archive"
        self.archive.mkdir()
        given = {
            "PGDATA": str(pgdata),
            "WALSUP_ROLE": "auto",
            "WALSUP_ARCHIVE": f"file://{self.archive}",
            "WALSUP_ENGINE": engine,
        }
        self.pgdata = pgdata
        self.sent: list[FromPrepare] = []
        self.settings: Settings = load(given)
        current = Current(self.settings, given)
        self.hand = Handover(current, base, "this start", self.sent.append)

    def settle(self, *, standby: bool = False, state: DBState = DBState.SHUT_DOWN) -> Found:
        """Decide, for a directory of this state."""
        control = pg_control.read(self.pgdata)._replace(state=state)
        cluster = Cluster("15", control, standby=standby)
        return role_decision.settle(self.settings, cluster, self.hand)

    def own(self) -> None:
        """Write the owner object: this very directory's, stopped."""
        found = pg_control.read(self.pgdata)
        owner = replace(
            OWNER,
            system_id=found.system_id,
            instance=markers.instance(self.pgdata),
            lsn=found.redo_lsn - found.redo_lsn % found.segment_size,
            backups_from=0,
        )
        path = self.archive / OWNER_KEY
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(owner.signed().to_json())

    @property
    def owner(self) -> Owner:
        """The owner object as it is."""
        return Owner.from_json((self.archive / OWNER_KEY).read_bytes())

    @property
    def is_standby(self) -> bool:
        """Whether postgres would start as a standby."""
        return (self.pgdata / standby_signal.SIGNAL).exists()


# Prepare is a process that ends, and the directory's workers with it.
_ENDS = pytest.mark.filterwarnings("ignore::ResourceWarning")


@pytest.fixture
def start(pgdata: Path, tmp_path: Path, machine: Machine, monkeypatch: pytest.MonkeyPatch) -> Start:
    """A primary's directory that was shut down."""
    monkeypatch.setenv("PATH", machine.search_path(machine.engines[0]))
    return Start(pgdata, tmp_path, machine.engines[0])


def test_a_standbys_directory_stays_one_without_a_question(start: Start) -> None:
    """It takes no writes: nothing has to be asked."""
    found = start.settle(standby=True)
    assert isinstance(found, Cluster)
    assert found.standby
    assert start.sent == []


def test_an_empty_directory_is_no_question_of_the_role_here(start: Start) -> None:
    """What it becomes is decided by what the archive holds."""
    assert isinstance(role_decision.settle(start.settings, Empty(), start.hand), Empty)
    assert start.sent == []


@pytest.mark.rule("role-from-the-archive")
@pytest.mark.parametrize("state", [DBState.SHUT_DOWN_IN_RECOVERY, DBState.IN_ARCHIVE_RECOVERY])
def test_a_promotion_that_was_cut_off_is_a_standby_again(start: Start, state: DBState) -> None:
    """The new timeline has not begun: as a primary it would go on writing the old one."""
    found = start.settle(state=state)
    assert isinstance(found, Cluster)
    assert found.standby
    assert start.is_standby
    assert start.sent == []


@pytest.mark.rule("role-from-the-archive")
def test_a_primarys_directory_without_an_archive_is_refused(start: Start) -> None:
    """Nothing can say whether it still is one."""
    start.settings = start.settings._replace(archive=None, role="standby")
    with pytest.raises(DataDirectoryError):
        start.settle()
    assert not start.is_standby


@_ENDS
@pytest.mark.rule("role-from-the-archive")
def test_the_archives_owner_starts_as_a_primary_and_has_claimed_it_before(start: Start) -> None:
    """A second start that asks finds this one in the object."""
    start.own()
    found = start.settle()
    assert isinstance(found, Cluster)
    assert not found.standby
    assert not start.is_standby
    assert (start.owner.boot, start.owner.state) == ("this start", "running")
    archive = str(start.settings.archive)
    assert markers.known_epoch(start.pgdata, archive) == start.owner.epoch


@_ENDS
@pytest.mark.rule("role-from-the-archive")
def test_a_read_only_primary_becomes_one_when_the_archive_confirms_it(start: Start) -> None:
    """The signal file of the doubt is removed with it."""
    start.own()
    markers.remember_unsure(start.pgdata)
    (start.pgdata / standby_signal.SIGNAL).touch()
    found = start.settle(standby=True)
    assert isinstance(found, Cluster)
    assert not found.standby
    assert not start.is_standby
    assert not markers.is_unsure(start.pgdata)


@pytest.mark.parametrize(
    ("role", "hostname", "archived"),
    [("standby", "db-0", None), ("auto", "db-0", "a key"), ("auto", "db-1", None)],
)
def test_an_empty_directory_follows_a_cluster_that_there_is(
    monkeypatch: pytest.MonkeyPatch, role: str, hostname: str, archived: str | None
) -> None:
    """One that is archived, or that an earlier pod begins."""
    monkeypatch.setenv("HOSTNAME", hostname)
    known = load({"PGDATA": "/nowhere", "WALSUP_ARCHIVE": "file:///archive"})._replace(role=role)
    assert role_decision.follows(known, archived)


def test_the_first_pod_begins_a_cluster_where_none_is_archived(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """The only one of a new set that follows none."""
    monkeypatch.setenv("HOSTNAME", "db-0")
    known = load({"PGDATA": "/nowhere", "WALSUP_ARCHIVE": "file:///archive"})._replace(role="auto")
    assert not role_decision.follows(known, None)


def test_auto_outside_of_a_stateful_set_is_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    """No number says which one begins."""
    monkeypatch.setenv("HOSTNAME", "laptop")
    known = load({"PGDATA": "/nowhere", "WALSUP_ARCHIVE": "file:///archive"})._replace(role="auto")
    with pytest.raises(SettingsError):
        role_decision.follows(known, None)

"""The plan: a table of every combination."""

import itertools

import pytest

from walsup.boot.plan import (
    Bootstrap,
    BootstrapBeside,
    Broken,
    Cluster,
    Empty,
    Finish,
    Follow,
    Found,
    Plan,
    Recover,
    Recovering,
    Refuse,
    RestoreFromArchive,
    Staged,
    StartPostgres,
    Wish,
    decide,
    needs_archive,
)
from walsup.errors import (
    ArchiveNotEmptyError,
    ContractError,
    DataDirectoryError,
    VersionError,
    WalsupError,
)
from walsup.postgres.pg_control import ControlData, DBState

CONTROL = ControlData(
    system_id=1,
    control_version=1300,
    catalog_version=1,
    state=DBState.SHUT_DOWN,
    checkpoint_lsn=0,
    redo_lsn=0,
    timeline=1,
    segment_size=1 << 24,
)
DAMAGED = DataDirectoryError("it is damaged", hint="restore it")
# What is there: what is done when the programs are 15, by archived and may_create.
TABLE: dict[str, tuple[Found, dict[tuple[bool, bool], type[Plan] | type[WalsupError]]]] = {
    "empty": (
        Empty(),
        {
            (False, True): Bootstrap,
            (False, False): ContractError,
            (True, True): ArchiveNotEmptyError,
            (True, False): ArchiveNotEmptyError,
        },
    ),
    "cut off": (
        Staged(complete=False),
        {
            (False, True): Bootstrap,
            (False, False): ContractError,
            (True, True): ArchiveNotEmptyError,
            (True, False): ArchiveNotEmptyError,
        },
    ),
}
ALWAYS: dict[str, tuple[Found, type[Plan] | type[WalsupError]]] = {
    "complete": (Staged(complete=True, major="15"), Finish),
    "complete, version not known": (Staged(complete=True), Finish),
    "complete of another major": (Staged(complete=True, major="16"), VersionError),
    "cluster": (Cluster(major="15", control=CONTROL), StartPostgres),
    "recovering": (Recovering(major="15"), Recover),
    "recovering, of another major": (Recovering(major="16"), VersionError),
    "older cluster": (Cluster(major="14", control=CONTROL), VersionError),
    "newer cluster": (Cluster(major="16", control=CONTROL), VersionError),
    "foreign": (Broken(error=DAMAGED), DataDirectoryError),
    "damaged": (Broken(error=DAMAGED, major="15"), DataDirectoryError),
    "damaged, or only of another major": (Broken(error=DAMAGED, major="9.6"), VersionError),
}
EVERY = TABLE | {
    name: (found, dict.fromkeys(itertools.product((False, True), repeat=2), wanted))
    for name, (found, wanted) in ALWAYS.items()
}


def outcome(plan: Plan) -> type[Plan] | type[WalsupError]:
    """The kind of a plan; of a refusal, that of its error."""
    return type(plan.error) if isinstance(plan, Refuse) else type(plan)


@pytest.mark.parametrize("name", EVERY)
def test_every_combination(name: str) -> None:
    """Whatever is found, with whatever archive and password, there is one answer."""
    found, wanted = EVERY[name]
    assert wanted.keys() == set(itertools.product((False, True), repeat=2))
    for (archived, may_create), plan in wanted.items():
        key = "wal_005/000000010000000000000001.lz4" if archived else None
        decided = decide(found, binaries_major="15", archived=key, may_create=may_create)
        assert outcome(decided) is plan


@pytest.mark.parametrize("name", EVERY)
def test_unknown_programs_refuse_no_version(name: str) -> None:
    """When the programs' version cannot be told, postgres itself compares it."""
    found, _ = EVERY[name]
    decided = decide(found, binaries_major=None, archived=None, may_create=True)
    assert outcome(decided) is not VersionError


@pytest.mark.rule("empty-means-listed")
def test_only_what_is_empty_asks_the_archive() -> None:
    """An existing database never waits for the bucket."""
    asking = {name for name, (found, _) in EVERY.items() if needs_archive(found)}
    assert asking == TABLE.keys()


@pytest.mark.parametrize("archived", [None, "basebackups_005/x"])
def test_a_standby_is_built_whatever_the_archive_has(archived: str | None) -> None:
    """It is the one who takes part in another's archive, and makes no cluster of its own."""
    wish = Wish(standby=True)
    primary = Cluster(major="15", control=CONTROL)
    cases: list[tuple[Found, type[Plan | WalsupError]]] = [
        (Empty(), Follow),
        (Staged(complete=False), Follow),
        (primary, StartPostgres),
        (primary._replace(standby=True), StartPostgres),
    ]
    for found, wanted in cases:
        decided = decide(found, binaries_major="15", archived=archived, may_create=True, wish=wish)
        assert outcome(decided) is wanted


def test_refusals_say_what_they_found() -> None:
    """Both versions with the procedure, and the archive's key, are in the text."""
    other = decide(
        Cluster(major="14", control=CONTROL), binaries_major="15", archived=None, may_create=True
    )
    archived = decide(Empty(), binaries_major="15", archived="the/key", may_create=True)
    assert isinstance(other, Refuse)
    assert isinstance(archived, Refuse)
    for word in ("14", "15", "pg_upgrade", "pg_dumpall"):
        assert word in str(other.error)
    assert "the/key" in str(archived.error)
    assert "StatefulSet" not in str(archived.error)


@pytest.mark.parametrize(("pod", "is_told"), [(None, False), (0, False), (1, True), (12, True)])
def test_a_second_pod_is_told_how_it_becomes_a_standby(pod: int | None, *, is_told: bool) -> None:
    """What replicas: 2 asks for; the first pod of a lost volume is to restore instead."""
    wish = Wish(pod=pod)
    refused = decide(Empty(), binaries_major="15", archived="the/key", may_create=True, wish=wish)
    assert isinstance(refused, Refuse)
    assert (f"pod {pod} of a StatefulSet: set WALSUP_ROLE=auto" in str(refused.error)) is is_told


_KEY = "wal_005/000000010000000000000001.lz4"


@pytest.mark.parametrize("found", [Empty(), Staged(complete=False)])
@pytest.mark.parametrize("may_create", [False, True])
@pytest.mark.parametrize("restores", [False, True])
@pytest.mark.parametrize(
    ("on_empty", "moved", "wanted"),
    [
        ("refuse", False, ArchiveNotEmptyError),
        ("refuse", True, ArchiveNotEmptyError),
        ("restore", False, RestoreFromArchive),
        ("restore", True, RestoreFromArchive),
        ("initdb-new-path", False, BootstrapBeside),
        ("initdb-new-path", True, ArchiveNotEmptyError),
    ],
)
@pytest.mark.rule("empty-means-listed", "restore-source-once")
def test_an_empty_directory_and_an_archive_with_a_cluster(  # noqa: PLR0913, PLR0917
    found: Found,
    on_empty: str,
    moved: bool,  # noqa: FBT001
    wanted: type[Plan] | type[WalsupError],
    restores: bool,  # noqa: FBT001
    may_create: bool,  # noqa: FBT001
) -> None:
    """Only ON_EMPTY_PGDATA decides; the source of a first restore is not asked again."""
    decided = decide(
        found,
        binaries_major="15",
        archived=_KEY,
        may_create=may_create,
        wish=Wish(on_empty=on_empty, restores=restores, moved=moved),
    )
    if wanted is BootstrapBeside and not may_create:
        wanted = ContractError
    assert outcome(decided) is wanted
    if isinstance(decided, RestoreFromArchive):
        assert decided.own
    if isinstance(decided, Refuse) and restores and not moved and wanted is ArchiveNotEmptyError:
        assert "used only while this archive is empty" in str(decided.error)


@pytest.mark.parametrize("on_empty", ["refuse", "restore", "initdb-new-path"])
@pytest.mark.parametrize("may_create", [False, True])
@pytest.mark.rule("restore-source-once")
def test_an_empty_archive_lets_the_source_be_restored(on_empty: str, may_create: bool) -> None:  # noqa: FBT001
    """A clone needs no password of a new cluster; without a source there is initdb."""
    for restores in (True, False):
        decided = decide(
            Empty(),
            binaries_major="15",
            archived=None,
            may_create=may_create,
            wish=Wish(on_empty=on_empty, restores=restores),
        )
        if restores:
            assert decided == RestoreFromArchive(own=False)
        else:
            assert outcome(decided) is (Bootstrap if may_create else ContractError)

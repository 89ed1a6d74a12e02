"""What to do with what was found. Pure and total: every combination has an answer."""

from typing import NamedTuple, assert_never

from walsup.errors import ArchiveNotEmptyError, ContractError, VersionError, WalsupError
from walsup.postgres.pg_control import ControlData


class Empty:
    """Nothing in the data directory that counts."""

    __slots__ = ()


class Staged(NamedTuple):
    """A stage of walsup's: complete, of a major version, or cut off and without value."""

    complete: bool
    major: str | None = None


class Cluster(NamedTuple):
    """A database, of a major version, with a sound pg_control. `standby`: it follows another."""

    major: str
    control: ControlData
    standby: bool = False


class Recovering(NamedTuple):
    """A copy from an archive that has not been recovered to its end: not yet a database."""

    major: str


class Broken(NamedTuple):
    """A non-empty directory without a database, or a damaged one (then with its major version)."""

    error: WalsupError
    major: str | None = None


Found = Empty | Staged | Cluster | Recovering | Broken


class StartPostgres:
    """Start postgres on the directory as it is."""

    __slots__ = ()


class Bootstrap:
    """Make a new cluster in the stage, after wiping what a cut-off one left."""

    __slots__ = ()


class Finish:
    """Move a complete stage to its place. Never wipe it."""

    __slots__ = ()


class RestoreFromArchive(NamedTuple):
    """Fetch a base backup into the stage. `own`: from this database's own archive."""

    own: bool


class Follow:
    """Build a standby in the stage, from the archive or from its primary."""

    __slots__ = ()


class BootstrapBeside:
    """Make a new cluster, and archive it below a new sub-path: the archive holds another."""

    __slots__ = ()


class Recover:
    """Start postgres on a copy that is not yet recovered. Never wipe it."""

    __slots__ = ()


class Refuse(NamedTuple):
    """Do nothing, and report why."""

    error: WalsupError


Plan = (
    StartPostgres
    | Bootstrap
    | BootstrapBeside
    | Finish
    | RestoreFromArchive
    | Follow
    | Recover
    | Refuse
)


class Wish(NamedTuple):
    """What the operator wants: WALSUP_ON_EMPTY_PGDATA, RESTORE_FROM, ROLE.

    `moved`: the archive continues in a sub-path already, so a new cluster was begun there once.
    `pod`: the number of a StatefulSet's pod, None outside of a StatefulSet.
    """

    on_empty: str = "refuse"
    restores: bool = False
    moved: bool = False
    standby: bool = False
    pod: int | None = None


def needs_archive(found: Found) -> bool:
    """Return whether the bucket must be asked before `decide`: only for an empty data directory."""
    return isinstance(found, Empty) or (isinstance(found, Staged) and not found.complete)


def decide(  # noqa: PLR0911, PLR0913 (one return a case; each is one fact)
    found: Found,
    *,
    binaries_major: str | None,
    archived: str | None,
    may_create: bool,
    wish: Wish = Wish(),  # noqa: B008 (immutable)
    hindrance: WalsupError | None = None,
) -> Plan:
    """Return the plan.

    `binaries_major`: None when it is not known without running postgres. `archived`: a key of a
    cluster in the archive, None when a successful listing found none or no archive is configured.
    `may_create`: a password is given, or trust authentication is set. `hindrance`: why nothing new
    may be begun here, whatever the archive holds.
    """
    match found:
        case (
            Broken(major=str(major))
            | Cluster(major=major)
            | Recovering(major=major)
            | Staged(complete=True, major=str(major))
        ) if binaries_major not in (None, major):
            # First: another version's directory may look damaged to this version.
            return Refuse(error=_other_major(major, str(binaries_major)))
        case Broken(error=error):
            return Refuse(error=error)
        case Cluster():
            return StartPostgres()
        case Recovering():
            return Recover()
        case Staged(complete=True):
            return Finish()
        case Empty() | Staged() if hindrance is not None:
            return Refuse(error=hindrance)
        case Empty() | Staged():
            return _of_nothing(archived, wish, may_create=may_create)
        case _:
            assert_never(found)


def _of_nothing(archived: str | None, wish: Wish, *, may_create: bool) -> Plan:
    """Return the plan for an empty data directory.

    Rules empty-means-listed and restore-source-once.
    """
    if wish.standby:
        return Follow()
    if archived is not None and wish.on_empty == "restore":
        return RestoreFromArchive(own=True)
    once = wish.on_empty == "initdb-new-path" and wish.moved
    if archived is not None and (wish.on_empty == "refuse" or once):
        return Refuse(error=_archive_not_empty(archived, wish))
    if archived is None and wish.restores:
        return RestoreFromArchive(own=False)
    if not may_create:
        return Refuse(error=_no_password())
    return Bootstrap() if archived is None else BootstrapBeside()


def _other_major(data: str, binaries: str) -> VersionError:
    return VersionError(
        f"the data directory is of PostgreSQL {data}, but PostgreSQL {binaries} is installed here",
        hint=f"use PostgreSQL {data}; or upgrade: pg_dumpall with {data} and restore into"
        f" an empty directory with {binaries}, or pg_upgrade with both installed",
    )


def _archive_not_empty(key: str, wish: Wish) -> ArchiveNotEmptyError:
    late = ""
    if wish.moved:
        late = ", in the path that walsup gave to an earlier new cluster (walsup/moved.json)"
    elif wish.restores:
        late = "; WALSUP_RESTORE_FROM is used only while this archive is empty: it was used before"
    return ArchiveNotEmptyError(
        f"the data directory is empty, but the archive holds a cluster ({key}){late}",
        hint=f"{_as_a_pod(wish.pod)}mount the volume that this archive belongs to; or, if that is"
        " lost, restore it from the archive with WALSUP_ON_EMPTY_PGDATA=restore; or, for a new"
        " database, set WALSUP_ARCHIVE to another prefix; nothing has been touched",
    )


def _as_a_pod(number: int | None) -> str:
    """Return the usual purpose of a pod that is not the first of its StatefulSet."""
    if not number:
        return ""
    return (
        f"this is pod {number} of a StatefulSet: set WALSUP_ROLE=auto on all its pods, and it"
        " becomes a standby; or "
    )


def _no_password() -> ContractError:
    return ContractError(
        "POSTGRES_PASSWORD is not set, and a new cluster needs a superuser password",
        hint="set POSTGRES_PASSWORD or POSTGRES_PASSWORD_FILE; POSTGRES_HOST_AUTH_METHOD=trust"
        " lets anyone in without one",
    )

"""What postgres is told for what it is about to be: a copy that recovers, a standby, a primary."""

from collections.abc import Mapping

from walsup.boot import limits
from walsup.boot.handover import Handover
from walsup.boot.plan import Found
from walsup.postgres import restored, standing
from walsup.settings import Settings


def taken_for(known: Settings, found: Found, hand: Handover) -> Found:
    """Give what the directory is to be taken for, where the role leaves that open (S19).

    Raises:
        WalsupError: a person has to decide.
    """
    if known.role == "primary":
        return found
    from walsup.boot import role  # noqa: PLC0415 (not for every start)

    return role.settle(known, found, hand)


def follows(known: Settings, archived: str | None) -> bool:
    """Tell whether an empty directory becomes a standby's.

    Raises:
        SettingsError: it is not told.
    """
    if known.role == "primary":
        return False
    from walsup.boot import role  # noqa: PLC0415 (not for every start)

    return role.follows(known, archived)


def settings(
    known: Settings, hand: Handover, effective: Mapping[str, str], major: int
) -> dict[str, str]:
    """Have the reader started where one is needed; gives postgres's settings.

    Raises:
        SettingsError: another restore is asked for than the one under way; EngineError.
    """
    if restored.is_under_way(known.pgdata):
        from walsup.boot import recover  # noqa: PLC0415 (not for every start)

        return recover.recovery(known, hand, effective, major)
    if known.role != "primary" and standing.is_standby(known.pgdata):
        from walsup.boot import follow  # noqa: PLC0415 (not for every start)

        return follow.following(known, hand, effective)
    rendered = limits.of_start(known.pgdata, effective)
    if known.replication_password:
        from walsup.boot import slots  # noqa: PLC0415 (not for every start)

        rendered |= slots.settings(effective, known.pgdata)
    return rendered

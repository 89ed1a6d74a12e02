"""The settings of postgres for each phase: a copy that recovers, a standby, a primary."""

from collections.abc import Mapping

from walsup.boot.handover import Handover
from walsup.boot.plan import Found
from walsup.boot.restore import recovery_limits
from walsup.datadir import restore_state
from walsup.postgres import standby_signal
from walsup.settings import Settings


def taken_for(known: Settings, found: Found, hand: Handover) -> Found:
    """Return the state of the directory, when the role leaves that open.

    Rule role-from-the-archive.

    Raises:
        WalsupError: a person has to decide.
    """
    if known.role == "primary":
        return found
    from walsup.boot.standby import role_decision  # noqa: PLC0415 (not for every start)

    return role_decision.settle(known, found, hand)


def follows(known: Settings, archived: str | None) -> bool:
    """Return whether an empty directory becomes a standby's.

    Raises:
        SettingsError: the role is not known.
    """
    if known.role == "primary":
        return False
    from walsup.boot.standby import role_decision  # noqa: PLC0415 (not for every start)

    return role_decision.follows(known, archived)


def settings(
    known: Settings, hand: Handover, effective: Mapping[str, str], major: int
) -> dict[str, str]:
    """Have the reader started where one is needed; return postgres's settings.

    Raises:
        SettingsError: the settings ask for another restore than the one in progress; EngineError.
    """
    if restore_state.is_under_way(known.pgdata):
        from walsup.boot.restore import resume  # noqa: PLC0415 (not for every start)

        return resume.recovery(known, hand, effective, major)
    if known.role != "primary" and standby_signal.is_standby(known.pgdata):
        from walsup.boot.standby import follow  # noqa: PLC0415 (not for every start)

        return follow.following(known, hand, effective)
    rendered = recovery_limits.of_start(known.pgdata, effective)
    if known.replication_password:
        from walsup.boot.standby import slot_limits  # noqa: PLC0415 (not for every start)

        rendered |= slot_limits.settings(effective, known.pgdata)
    return rendered

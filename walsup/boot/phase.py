"""What postgres is told for what it is about to be: a copy that recovers, a standby, a primary."""

from collections.abc import Mapping

from walsup.boot.handover import Handover
from walsup.postgres import restored, standing
from walsup.settings import Settings


def settings(known: Settings, hand: Handover, effective: Mapping[str, str]) -> dict[str, str]:
    """Have the reader started where one is needed; gives postgres's settings.

    Raises:
        SettingsError: another restore is asked for than the one under way; EngineError.
    """
    if restored.is_under_way(known.pgdata):
        from walsup.boot import recover  # noqa: PLC0415 (not for every start)

        return recover.recovery(known, hand, effective)
    if known.role != "primary" and standing.is_standby(known.pgdata):
        from walsup.boot import follow  # noqa: PLC0415 (not for every start)

        return follow.following(known, hand, effective)
    if known.replication_password:
        from walsup.boot import slots  # noqa: PLC0415 (not for every start)

        return slots.settings(effective, known.pgdata)
    return {}

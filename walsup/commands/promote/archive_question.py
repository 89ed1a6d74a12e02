"""A question to the archive of a promotion; one without an answer is an error with its remedy."""

from collections.abc import Awaitable
from typing import TypeVar

from walsup.archive.storage.fault_mapping import classify
from walsup.commands.promote.plan import FORCE_HINT
from walsup.errors import ArchiveError
from walsup.settings import Settings

T = TypeVar("T")


class UnreadableError(ArchiveError):
    """The archive cannot be read now."""


async def asked(known: Settings, question: Awaitable[T]) -> T:
    """Return the archive's answer.

    Raises:
        UnreadableError: it cannot be read now.
    """
    try:
        return await question
    except Exception as raised:  # noqa: BLE001 (it is reported, whatever it is)
        fault = classify(raised)
        raise UnreadableError(
            f"{known.archive} cannot be read ({fault.kind}): {fault.problem}",
            hint=fault.cure + FORCE_HINT,
        ) from None

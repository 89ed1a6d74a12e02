"""What a round of the audit has come to. Pure."""

from typing import NamedTuple

from walsup.agent.audit.restore_window import Stretch
from walsup.archive.catalog.scope import Counted, Scope


class Result(NamedTuple):
    """What a round has come to: segments that are bad, those that are lost, objects to be read.

    `oldest`: the base backup with which the window begins, None: there is none. `is_new`: a base
    backup is not whole that was in the round before, which another look has to confirm.
    """

    scope: Scope
    oldest: Counted | None
    bad: tuple[Stretch, ...]
    lost: tuple[Stretch, ...]
    unread: int
    whole: bool
    is_new: bool = False

    @property
    def is_settled(self) -> bool:
        """Whether nothing has to be looked at again soon."""
        return self.bad == self.lost and not self.unread

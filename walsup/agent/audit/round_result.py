"""The result of an audit round. Pure."""

from typing import NamedTuple

from walsup.agent.audit.restore_window import Stretch
from walsup.archive.catalog.scope import Counted, Scope


class Result(NamedTuple):
    """The result of a round: bad segments, lost segments, objects that are still to be read.

    `oldest`: the base backup with which the window begins, None: there is none. `is_new`: a base
    backup is incomplete that was complete before, which another round has to confirm. `history`:
    what is wrong with a history file, "": nothing.
    """

    scope: Scope
    oldest: Counted | None
    bad: tuple[Stretch, ...]
    lost: tuple[Stretch, ...]
    unread: int
    whole: bool
    is_new: bool = False
    history: str = ""

    @property
    def is_settled(self) -> bool:
        """Whether no round is needed again soon."""
        return self.bad == self.lost and not self.unread and not self.history

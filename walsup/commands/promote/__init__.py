"""`walsup promote`: a person makes this standby the primary, and loses nothing by it."""

from walsup.commands.promote.command import check, run
from walsup.commands.promote.plan import Plan

__all__ = ["Plan", "check", "run"]

"""`walsup promote`: promotes this standby on an operator's request, without losing anything."""

from walsup.commands.promote.command import check, run
from walsup.commands.promote.plan import Plan

__all__ = ["Plan", "check", "run"]

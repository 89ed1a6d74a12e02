"""The declaration of one setting: a row of the table, typed like its field of `Settings`."""

from collections.abc import Callable
from typing import Generic, NamedTuple, TypeVar, cast, overload

T = TypeVar("T")


class Setting(NamedTuple, Generic[T]):
    """A row of the table. `environment_only`: PID 1 reads it too, from the environment alone."""

    name: str
    read: Callable[[str], T]
    says: str
    default: T | None
    shown: str
    aliases: tuple[str, ...]
    secret: bool
    environment_only: bool
    field: str = ""


@overload
def declare(
    name: str,
    read: Callable[[str], T],
    says: str,
    *,
    default: T,
    shown: str = "",
    aliases: tuple[str, ...] = (),
    secret: bool = False,
    environment_only: bool = False,
) -> T: ...


@overload
def declare(
    name: str,
    read: Callable[[str], T],
    says: str,
    *,
    shown: str = "",
    aliases: tuple[str, ...] = (),
    secret: bool = False,
    environment_only: bool = False,
) -> T | None: ...


def declare(  # noqa: PLR0913 (a row of the table)
    name: str,
    read: Callable[[str], T],
    says: str,
    *,
    default: T | None = None,
    shown: str = "",
    aliases: tuple[str, ...] = (),
    secret: bool = False,
    environment_only: bool = False,
) -> T | None:
    """Return the row of a field; mypy checks parser and default against the field's type.

    The row takes the place of the field's default until `Settings` exists; `schema.declared`
    returns the rows.
    """
    shown = shown or ("" if default is None else str(default))
    row = Setting(name, read, says, default, shown, aliases, secret, environment_only)
    return cast("T | None", row)

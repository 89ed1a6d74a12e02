"""A value that was read, with its faults, because an operator sees all faults at once."""

from typing import Generic, NamedTuple, TypeVar

T = TypeVar("T")


class Result(NamedTuple, Generic[T]):
    """A value, and the faults found while reading it, a line each."""

    value: T
    faults: tuple[str, ...] = ()

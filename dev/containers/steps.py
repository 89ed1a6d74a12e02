"""Telling what is done and how long it took."""

import time
from collections.abc import Iterator
from contextlib import contextmanager


@contextmanager
def step(what: str) -> Iterator[None]:
    """One line with its time around the block."""
    began_s = time.monotonic()
    print(f"containers: {what} ... ", end="", flush=True)
    try:
        yield
    except BaseException:
        print(f"failed ({time.monotonic() - began_s:.1f} s)", flush=True)
        raise
    print(f"done ({time.monotonic() - began_s:.1f} s)", flush=True)

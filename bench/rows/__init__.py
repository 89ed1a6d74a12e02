"""The rows of the table, a module each; `ROWS` in the order in which they are measured."""

from collections.abc import Callable, Mapping, Sequence
from types import MappingProxyType

from bench.figures import Row
from bench.ground import Ground
from bench.rows import (
    container,
    drain,
    first_boot,
    load,
    memory,
    probes,
    restore,
    start,
    stop,
)

ROWS: Mapping[str, Callable[[Ground], Sequence[Row]]] = MappingProxyType(
    {
        "start": start.measure,
        "first-boot": first_boot.measure,
        "stop": stop.measure,
        "drain": drain.measure,
        "load": load.measure,
        "memory": memory.measure,
        "probes": probes.measure,
        "restore": restore.measure,
        "container": container.measure,
    }
)

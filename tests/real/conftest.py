"""What several of these tests are given."""

from collections.abc import Callable, Iterator
from typing import Any

import pytest

from dev.harness import Machine
from dev.harness.processes.pod import Pod

MakePod = Callable[..., Pod]


@pytest.fixture
def pod(machine: Machine) -> Iterator[MakePod]:
    """Makes pods; their logs are shown with a failure."""
    if not machine.db_user:
        pytest.skip("needs root: a container has a root file system of its own")
    made: list[Pod] = []

    def make(**chosen: Any) -> Pod:  # noqa: ANN401 - Pod's own arguments
        made.append(Pod(machine, **chosen))
        return made[-1]

    yield make
    for one in made:
        if one.layout.log_file.exists():
            print(one.tail())  # noqa: T201 - pytest keeps it for a failure's report
        one.close()

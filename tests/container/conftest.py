"""Docker's daemon, walsup's image and S3 in a container, for all tests of this tier."""

import secrets
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, ExitStack
from pathlib import Path
from typing import Any

import pytest

from dev.containers import Box, Daemon, S3Box, image
from dev.harness import Machine, PgTools

_HERE = Path(__file__).parent
_TIMEOUT_S = 600


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Give the tests a deadline without their fixtures: the first one builds the images."""
    for item in items:
        if _HERE in item.path.parents and not item.get_closest_marker("timeout"):
            item.add_marker(pytest.mark.timeout(_TIMEOUT_S, func_only=True))


@pytest.fixture(scope="session")
def spoken(request: pytest.FixtureRequest) -> Callable[[], AbstractContextManager[None]]:
    """Lets what is printed in a block be seen at once: set-up that takes minutes."""
    capture: Any = request.config.pluginmanager.getplugin("capturemanager")
    heard: Callable[[], AbstractContextManager[None]] = capture.global_and_fixture_disabled
    return heard


@pytest.fixture(scope="session")
def daemon(spoken: Callable[[], AbstractContextManager[None]]) -> Iterator[Daemon]:
    """Docker's daemon."""
    with ExitStack() as stack:
        with spoken():
            print()  # noqa: T201 (behind pytest's dots)
            running = stack.enter_context(Daemon())
        yield running


@pytest.fixture(scope="session")
def image_with(
    daemon: Daemon, machine: Machine, spoken: Callable[[], AbstractContextManager[None]]
) -> Callable[[str], str]:
    """Gives the name of the image with an engine."""
    assert daemon
    made: dict[str, str] = {}

    def named(engine: str) -> str:
        if engine not in made:
            with spoken():
                made[engine] = image.make(machine, engine)
        return made[engine]

    return named


@pytest.fixture(scope="session")
def default_image(image_with: Callable[[str], str]) -> str:
    """The image with the default engine."""
    return image_with("walrus")


@pytest.fixture(scope="session")
def s3(daemon: Daemon, spoken: Callable[[], AbstractContextManager[None]]) -> Iterator[S3Box]:
    """A real S3 server in a container, for the whole run."""
    assert daemon
    with ExitStack() as stack:
        with spoken():
            server = stack.enter_context(S3Box())
        yield server


@pytest.fixture
def box(default_image: str, machine: Machine) -> Iterator[Callable[..., Box]]:
    """Makes a Box of the default image; takes what Box takes. Its log is shown with a failure.

    `archive` is an S3Box: then a prefix of its own there is the archive.
    """
    tools = PgTools(machine.bindir, db_user=machine.db_user)
    with ExitStack() as stack:

        def make(*, archive: S3Box | None = None, image: str = default_image, **chosen: Any) -> Box:  # noqa: ANN401 - Box's own arguments
            if archive is not None:
                own = archive_environment(archive, f"box-{secrets.token_hex(4)}")
                chosen["env"] = own | chosen.get("env", {})
            made = stack.enter_context(Box(image, tools, **chosen))
            stack.callback(_show, made)
            return made

        yield make


def archive_environment(s3: S3Box, prefix: str) -> dict[str, str]:
    """The variables that make `prefix` of the server's bucket the archive."""
    return {
        "WALSUP_ARCHIVE": f"s3://{s3.bucket}/{prefix}",
        "AWS_ENDPOINT": s3.endpoint,
        "AWS_ACCESS_KEY_ID": s3.access_key,
        "AWS_SECRET_ACCESS_KEY": s3.secret_key,
    }


def _show(one: Box) -> None:
    print(one.tail())  # noqa: T201 - pytest keeps it for a failure's report

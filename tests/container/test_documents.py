"""README's first command runs the image."""

import shlex
from collections.abc import Callable

from dev.containers import Box
from dev.containers.client import docker
from dev.harness.checks import documents

Make = Callable[..., Box]


def test_readmes_docker_run_gives_a_database(box: Make, default_image: str) -> None:
    """As it is written, with a name, a volume and an image of the test's own."""
    one = box(env={"POSTGRES_PASSWORD": "secret"}).volume()
    volume = one.flags[-1].partition(":")[0]
    words = shlex.split(documents.block("docker-run"))
    assert words[:3] == ["docker", "run", "-d"]
    assert words[-1] == "walsup:17"
    own = [word.replace("orders:", f"{volume}:") for word in words[3:-1]]
    assert own != words[3:-1]
    docker("run", "--name", one.name, "-d", *own, default_image)
    one.start()
    one.wait_accepts()
    assert one.exec("psql", "-U", "postgres", "-Atc", "select 1") == "1"
    assert one.stop() == 0

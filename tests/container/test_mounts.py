"""The mount guard on docker's real mounts: what would be lost with the container is told."""

from collections.abc import Callable

import pytest

from dev.containers import PGDATA, Box

Make = Callable[..., Box]

_KUBERNETES = {"KUBERNETES_SERVICE_HOST": "10.96.0.1"}


@pytest.mark.parametrize("flags", [[], ["--volume", PGDATA]], ids=["none", "anonymous"])
@pytest.mark.rule("empty-means-listed")
def test_a_forgotten_mount_is_refused_under_kubernetes(box: Make, flags: list[str]) -> None:
    """On the container's own root and on an anonymous volume alike."""
    one = box(env=_KUBERNETES, flags=flags).run()
    assert one.wait() == 65
    assert "mount a volume" in one.last_word()


@pytest.mark.rule("empty-means-listed")
def test_elsewhere_it_is_a_warning(box: Make) -> None:
    """`docker run -e POSTGRES_PASSWORD=x IMAGE` works as with the official image."""
    one = box().run()
    one.wait_accepts()
    assert one.events("volume.missing")


@pytest.mark.rule("empty-means-listed")
def test_a_volume_with_a_name_and_a_directory_are_kept(box: Make) -> None:
    """Neither is warned of."""
    named = box(env=_KUBERNETES).volume().run()
    bound = box(env=_KUBERNETES)
    (bound.folder / "data").mkdir()
    bound.flags += ["--volume", f"{bound.folder / 'data'}:{PGDATA}"]
    bound.run()
    for one in (named, bound):
        one.wait_accepts()
        assert not one.events("volume.missing")

"""The documented way to extend the image: an extension's package and a script of one's own."""

from collections.abc import Callable
from pathlib import Path

from dev.containers import Box, base, registries
from dev.containers.client import docker
from dev.harness.checks import documents

Make = Callable[..., Box]

_NAME = "walsup-test:extended"


def test_an_extensions_package_and_a_script_are_all_it_takes(
    box: Make, default_image: str, tmp_path: Path
) -> None:
    """The child keeps entrypoint, user and health check; the extension works."""
    documented = documents.below("docs/getting-started.md", "## 4. Extend the image", "dockerfile")
    parent = f"walsup-test:parent-{default_image.removeprefix('sha256:')[:12]}"
    recipe = documented.replace("FROM walsup:17", f"FROM {parent}")
    assert parent in recipe
    docker("tag", default_image, parent)
    (tmp_path / "Dockerfile").write_text(recipe)
    (tmp_path / "init.sql").write_text("create extension vector;\n")
    made_from = base.digest(recipe, default_image)
    if not base.is_made(_NAME, made_from):
        with registries.build_arguments() as reach:
            docker("build", *reach, "--tag", _NAME, base.label(made_from), str(tmp_path))
    docker("rmi", parent)
    one = box(image=_NAME).run()
    one.wait_accepts()
    assert one.psql("select '[1,2]'::vector <-> '[4,6]'") == "5"
    assert one.stop() == 0

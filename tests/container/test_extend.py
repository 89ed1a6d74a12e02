"""README's way to extend the image: an extension's package and a script of one's own."""

import re
from collections.abc import Callable
from pathlib import Path

from dev.containers import Box, base, registries
from dev.containers.client import docker
from dev.harness.machine import ROOT

Make = Callable[..., Box]

_NAME = "walsup-test:extended"


def test_an_extensions_package_and_a_script_are_all_it_takes(
    box: Make, default_image: str, tmp_path: Path
) -> None:
    """The child keeps entrypoint, user and health check; the extension works."""
    found = re.search(r"```dockerfile\n(.*?)```", (ROOT / "README.md").read_text(), re.DOTALL)
    assert found is not None
    recipe = found[1].replace("FROM walsup:17", f"FROM {default_image}")
    assert default_image in recipe
    (tmp_path / "Dockerfile").write_text(recipe)
    (tmp_path / "init.sql").write_text("create extension vector;\n")
    made_from = base.digest(recipe, base.image_id(default_image))
    if not base.is_made(_NAME, made_from):
        with registries.build_arguments() as reach:
            docker("build", *reach, "--tag", _NAME, base.label(made_from), str(tmp_path))
    one = box(image=_NAME).run()
    one.wait_accepts()
    assert one.psql("select '[1,2]'::vector <-> '[4,6]'") == "5"
    assert one.stop() == 0

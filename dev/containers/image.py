"""walsup's own image, built as README says, from a context of just what the Dockerfile copies."""

import hashlib
import shlex
import shutil
import subprocess
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from dev.containers import base, registries
from dev.containers.client import docker, run
from dev.containers.steps import step
from dev.harness import Machine
from dev.harness.checks import documents
from dev.harness.processes.machine import ROOT

DOCKERFILE = ROOT / "Dockerfile"
_CONTEXT = (
    ".dockerignore",
    "walsup",
    "docker",
    "Dockerfile",
    "entrypoint.sh",
    "pyproject.toml",
    "README.md",
    "CHANGELOG.md",
    "LICENSE",
)
_PROGRAMS = {"walrus": ("walrus",), "wal-g": ("wal-g", "walg-daemon-client")}
_TIMEOUT_S = 3600.0


def make(machine: Machine, engine: str) -> str:
    """The id of an image with this engine, ENGINE=local; made when anything in it changed.

    walrus is what the image's own Rust stage builds.
    """
    programs = [walrus_of_stage()] if engine == "walrus" else _found(machine, engine)
    return _make(f"walsup-test:{engine}", base.make_debian(), programs, engine)


def make_newest() -> str:
    """The same with walrus and the newest PostgreSQL and Python, out of an official image."""
    name = f"walsup-test:{base.NEWEST_MAJOR}"
    return _make(name, base.make_official(), [walrus_of_stage()], f"PostgreSQL {base.NEWEST_MAJOR}")


def _make(name: str, base_image: str, programs: list[Path], what: str) -> str:
    """The image's id, not its name, which another checkout may give to an image of its own."""
    with context(programs) as folder:
        made_from = _fingerprint(folder, base.image_id(base_image))
        if found := base.made_id(name, made_from):
            return found
        written = folder / "id"
        words = (f"--tag={name}", f"--iidfile={written}", base.label(made_from))
        with step(f"building the image with {what}, ENGINE=local"):
            build(folder, *words, f"--build-arg=BASE={base_image}", engine="local")
        return written.read_text().strip()


def walrus_of_stage() -> Path:
    """The program that the default's Rust stage builds: built when the stage changed.

    Then the whole default image is built too, which shows that its stages fit together.
    """
    rust = base.make_rust()
    stage = DOCKERFILE.read_text().partition("AS engine-wal-rus\n")[2].partition("\nFROM ")[0]
    made_from = base.digest(rust, stage)
    program = base.CACHE / f"wal-rus-stage-{made_from}" / "walrus"
    if program.exists():
        return program
    with context([]) as folder:
        with step("building the default image, its Rust stage included (minutes, once)"):
            build(folder, "--tag=walsup-test:default", f"--build-arg=RUST={rust}")
        partial = program.parent.with_suffix(".part")
        shutil.rmtree(partial, ignore_errors=True)
        partial.mkdir(parents=True)
        holder = docker("create", "walsup-test:default")
        docker("cp", f"{holder}:/usr/local/bin/walrus", str(partial / "walrus"))
        docker("rm", holder)
        partial.rename(program.parent)
    return program


@contextmanager
def context(programs: list[Path]) -> Iterator[Path]:
    """A copy of what the Dockerfile needs, with `programs` as docker/engine's."""
    with tempfile.TemporaryDirectory(prefix="walsup-context-") as work:
        folder = Path(work)
        for name in _CONTEXT:
            if (ROOT / name).is_dir():
                shutil.copytree(ROOT / name, folder / name, ignore=_left_out)
            else:
                shutil.copy2(ROOT / name, folder / name)
        for program in programs:
            shutil.copy2(program, folder / "docker" / "engine" / program.name)
        yield folder


def build(folder: Path, *words: str, engine: str | None = None) -> None:
    """Build as README says; without an engine the Dockerfile's default.

    Raises:
        DockerError: with the build's output.
    """
    chosen = [f"--build-arg=ENGINE={engine}"] if engine else []
    with registries.build_arguments() as reach:
        docker(*_argv(folder, [*reach, *chosen, *words]), timeout_s=_TIMEOUT_S)


def try_build(folder: Path, *words: str) -> subprocess.CompletedProcess[str]:
    """The same, whatever comes of it."""
    with registries.build_arguments() as reach:
        return run(*_argv(folder, [*reach, *words]), timeout_s=_TIMEOUT_S)


def _argv(folder: Path, words: list[str]) -> list[str]:
    """README's command, with more words, another context and no name of its own."""
    documented = shlex.split(documents.block("build"))
    if documented[:3] != ["docker", "build", "-t"] or documented[-1] != ".":
        problem = f"README's command has another form: {shlex.join(documented)}"
        raise ValueError(problem)
    return ["build", *documented[4:-1], "--progress=plain", *words, str(folder)]


def _found(machine: Machine, engine: str) -> list[Path]:
    paths = (
        shutil.which(program, path=machine.search_path(engine)) for program in _PROGRAMS[engine]
    )
    return [Path(path) for path in paths if path]


def _left_out(folder: str, names: list[str]) -> set[str]:
    # Executables that a person has put there for an image of their own.
    given = Path(folder) == DOCKERFILE.parent / "engine"
    return {name for name in names if name == "__pycache__" or (given and name != "README.md")}


def _fingerprint(folder: Path, debian: str) -> str:
    digest = hashlib.sha256(debian.encode())
    for file in sorted(path for path in folder.rglob("*") if path.is_file()):
        digest.update(f"{file.relative_to(folder)}\0{file.stat().st_mode}\0".encode())
        digest.update(file.read_bytes())
    return digest.hexdigest()[:16]

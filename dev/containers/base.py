"""The base images, made on this machine of real Debian packages: no image can be pulled here."""

import hashlib
import shutil
import subprocess
import tempfile
from pathlib import Path

from dev.containers import registries
from dev.containers.client import docker, run
from dev.containers.steps import step

SUITE = "trixie"
DEBIAN = f"debian:{SUITE}-slim"
CACHE = Path("/var/cache/walsup")
_LABEL = "walsup.made-from"
_DEBOOTSTRAP_TIMEOUT_S = 900.0
_BUILD_TIMEOUT_S = 900.0

# What Debian's own slim image leaves out.
# Source: debuerreotype, scripts/.slimify-excludes and .slimify-includes.
_SLIM = """\
path-exclude /usr/share/doc/*
path-include /usr/share/doc/*/copyright
path-exclude /usr/share/groff/*
path-exclude /usr/share/info/*
path-exclude /usr/share/lintian/*
path-exclude /usr/share/locale/*
path-exclude /usr/share/man/*
"""
_LEFT_OUT = ("groff", "info", "lintian", "locale", "man")

# The toolchain is this machine's: Debian's is too old for wal-rus.
_RUST = """\
FROM {debian}
RUN apt-get update && apt-get install --yes --no-install-recommends ca-certificates gcc libc6-dev \\
    && rm -rf /var/lib/apt/lists/*
COPY bin/cargo bin/rustc /usr/local/bin/
COPY lib/ /usr/local/lib/
"""


def make_debian() -> str:
    """The image's name; made by debootstrap once, kept as a tarball in the cache."""
    repositories = registries.debian_repositories()
    made_from = digest(SUITE, _SLIM, repr(repositories))
    if is_made(DEBIAN, made_from):
        return DEBIAN
    tarball = CACHE / f"{SUITE}-slim-{made_from}.tar"
    if not tarball.exists():
        with step(f"making {DEBIAN} by debootstrap"):
            _debootstrap(tarball, repositories)
    with step(f"importing {DEBIAN}"):
        docker("import", f"--change=LABEL {_LABEL}={made_from}", str(tarball), DEBIAN)
    return DEBIAN


def make_rust() -> str:
    """The name of an image with this machine's Rust toolchain."""
    rustc = shutil.which("rustc") or str(Path.home() / ".cargo" / "bin" / "rustc")
    sysroot = Path(_output(rustc, "--print", "sysroot"))
    version = _output(rustc, "--version")
    name = f"rust:{version.split()[1]}-slim-{SUITE}"
    made_from = digest(_RUST, version, image_id(make_debian()))
    if is_made(name, made_from):
        return name
    with step(f"making {name} of this machine's toolchain"), tempfile.TemporaryDirectory() as work:
        recipe = Path(work) / "Dockerfile"
        recipe.write_text(_RUST.format(debian=DEBIAN))
        Path(f"{recipe}.dockerignore").write_text("*\n!bin/cargo\n!bin/rustc\n!lib\n")
        with registries.build_arguments() as words:
            docker(
                *("build", *words, f"--label={_LABEL}={made_from}", "--tag", name),
                *("--file", str(recipe), str(sysroot)),
                timeout_s=_BUILD_TIMEOUT_S,
            )
    return name


def is_made(name: str, made_from: str) -> bool:
    """Tell whether the image `name` is there and was made from just this."""
    return made_id(name, made_from) is not None


def made_id(name: str, made_from: str) -> str | None:
    """The id of the image `name`, when it is there and was made from just this."""
    shown = f'{{{{.Id}}}} {{{{index .Config.Labels "{_LABEL}"}}}}'
    done = run("image", "inspect", "--format", shown, name)
    found, _, label_found = done.stdout.strip().partition(" ")
    return found if done.returncode == 0 and label_found == made_from else None


def image_id(name: str) -> str:
    """The image's content, as docker names it."""
    return docker("image", "inspect", "--format", "{{.Id}}", name)


def label(made_from: str) -> str:
    """The word of `docker build` by which `is_made` knows the image again."""
    return f"--label={_LABEL}={made_from}"


def digest(*texts: str) -> str:
    """A fingerprint of what something is made from."""
    return hashlib.sha256("\0".join(texts).encode()).hexdigest()[:16]


def _debootstrap(tarball: Path, repositories: list[tuple[str, str]]) -> None:
    own = _output("sh", "-c", ". /etc/os-release && echo $VERSION_CODENAME")
    mirror = [address for address, suite in repositories if suite == own][:1]
    with tempfile.TemporaryDirectory(prefix="walsup-base-") as work:
        root = Path(work) / "root"
        argv = ["debootstrap", "--variant=minbase", SUITE, str(root), *mirror]
        done = subprocess.run(
            argv, check=False, capture_output=True, text=True, timeout=_DEBOOTSTRAP_TIMEOUT_S
        )
        if done.returncode != 0:
            tail = "\n".join(done.stdout.splitlines()[-20:])
            raise RuntimeError(f"debootstrap exited with {done.returncode}\n{tail}{done.stderr}")
        sources = [
            f"deb {address} {suite.replace(own, SUITE)} main" for address, suite in repositories
        ]
        (root / "etc/apt/sources.list").write_text("".join(f"{line}\n" for line in sources))
        (root / "etc/dpkg/dpkg.cfg.d/docker").write_text(_SLIM)
        _make_slim(root)
        CACHE.mkdir(parents=True, exist_ok=True)
        partial = tarball.with_suffix(".part")
        subprocess.run(["tar", "-C", str(root), "-cf", str(partial), "."], check=True)
        partial.rename(tarball)


def _make_slim(root: Path) -> None:
    for name in _LEFT_OUT:
        shutil.rmtree(root / "usr/share" / name, ignore_errors=True)
    for file in (root / "usr/share/doc").rglob("*"):
        if file.is_symlink() or (file.is_file() and file.name != "copyright"):
            file.unlink()
    for folder in ("var/lib/apt/lists", "var/cache/apt", "var/log"):
        shutil.rmtree(root / folder)
        (root / folder).mkdir()
    (root / "var/lib/apt/lists/partial").mkdir()
    (root / "var/cache/apt/archives/partial").mkdir(parents=True)


def _output(*argv: str) -> str:
    return subprocess.run(argv, check=True, capture_output=True, text=True).stdout.strip()

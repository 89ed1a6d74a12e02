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
# The newest PostgreSQL and Python that Debian has.
NEWEST_SUITE, NEWEST_MAJOR = "forky", "18"
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
_EXPIRED = 'Acquire::Check-Valid-Until "false";\n'
_SCRIPTS = Path("/usr/share/debootstrap/scripts")
_LEFT_OUT = ("groff", "info", "lintian", "locale", "man")

# The toolchain is this machine's: Debian's is too old for wal-rus.
_RUST = """\
FROM {debian}
RUN apt-get update && apt-get install --yes --no-install-recommends ca-certificates gcc libc6-dev \\
    && rm -rf /var/lib/apt/lists/*
COPY bin/cargo bin/rustc /usr/local/bin/
COPY lib/ /usr/local/lib/
"""


# What docker-library's image brings along, of Debian's own packages.
# Source: docker-library/postgres, 18/trixie/Dockerfile.
_OFFICIAL = f"""\
FROM debian:{NEWEST_SUITE}-slim
RUN groupadd -r postgres --gid=999 && useradd -r -g postgres --uid=999 \
    --home-dir=/var/lib/postgresql --shell=/bin/bash postgres \
    && install --directory --owner=postgres --group=postgres --mode=1777 /var/lib/postgresql
RUN apt-get update && apt-get install --yes --no-install-recommends \
    libnss-wrapper locales xz-utils zstd postgresql-common \
    && sed -ri 's/#(create_main_cluster) .*$/\\1 = false/' \
        /etc/postgresql-common/createcluster.conf \
    && localedef -i en_US -c -f UTF-8 en_US.UTF-8 \
    && apt-get install --yes --no-install-recommends postgresql-{NEWEST_MAJOR} \
    && rm -rf /var/lib/apt/lists/*
RUN install --directory --owner=postgres --group=postgres --mode=3777 /var/run/postgresql \
    && mkdir /docker-entrypoint-initdb.d && touch /usr/local/bin/docker-entrypoint.sh \
    && mkdir -p /var/lib/postgresql/{NEWEST_MAJOR}/docker
ENV PG_MAJOR={NEWEST_MAJOR} PGDATA=/var/lib/postgresql/{NEWEST_MAJOR}/docker LANG=en_US.utf8
VOLUME /var/lib/postgresql
ENTRYPOINT ["docker-entrypoint.sh"]
STOPSIGNAL SIGINT
CMD ["postgres"]
"""


def make_debian(suite: str = SUITE) -> str:
    """The image's name; made by debootstrap once, kept as a tarball in the cache."""
    name = f"debian:{suite}-slim"
    repositories = registries.debian_repositories()
    made_from = digest(suite, _SLIM, repr(repositories))
    if is_made(name, made_from):
        return name
    tarball = CACHE / f"{suite}-slim-{made_from}.tar"
    if not tarball.exists():
        with step(f"making {name} by debootstrap"):
            _debootstrap(suite, tarball, repositories)
    with step(f"importing {name}"):
        docker("import", f"--change=LABEL {_LABEL}={made_from}", str(tarball), name)
    return name


def make_official() -> str:
    """The name of an image as docker-library makes it, of the newest PostgreSQL that Debian has."""
    name = f"postgres:{NEWEST_MAJOR}-{NEWEST_SUITE}"
    made_from = digest(_OFFICIAL, image_id(make_debian(NEWEST_SUITE)))
    if is_made(name, made_from):
        return name
    with step(f"making {name}"), tempfile.TemporaryDirectory() as work:
        (Path(work) / "Dockerfile").write_text(_OFFICIAL)
        with registries.build_arguments() as words:
            docker(
                *("build", *words, label(made_from), "--tag", name, work),
                timeout_s=_BUILD_TIMEOUT_S,
            )
    return name


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


def _debootstrap(suite: str, tarball: Path, repositories: list[tuple[str, str]]) -> None:
    own = _output("sh", "-c", ". /etc/os-release && echo $VERSION_CODENAME")
    mirror = [address for address, suite in repositories if suite == own][:1]
    with tempfile.TemporaryDirectory(prefix="walsup-base-") as work:
        root = Path(work) / "root"
        argv = ["debootstrap", "--variant=minbase", suite, str(root), *mirror]
        # A suite that is newer than debootstrap is made as sid is.
        script = _SCRIPTS / suite
        if not script.exists():
            argv += [*([] if mirror else [""]), str(_SCRIPTS / "sid")]
        done = subprocess.run(
            argv, check=False, capture_output=True, text=True, timeout=_DEBOOTSTRAP_TIMEOUT_S
        )
        if done.returncode != 0:
            tail = "\n".join(done.stdout.splitlines()[-20:])
            raise RuntimeError(f"debootstrap exited with {done.returncode}\n{tail}{done.stderr}")
        # The newest has no suites of security and updates yet.
        sources = [
            f"deb {address} {named.replace(own, suite)} main"
            for address, named in repositories
            if suite != NEWEST_SUITE or named == own
        ]
        (root / "etc/apt/sources.list").write_text("".join(f"{line}\n" for line in sources))
        if suite == NEWEST_SUITE:  # which is signed anew every few hours; a mirror's may be older
            (root / "etc/apt/apt.conf.d/expired").write_text(_EXPIRED)
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

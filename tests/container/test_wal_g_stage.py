"""ENGINE=wal-g: the release is fetched, proven by its checksum, and only then built in.

The build reaches a server on loopback. Where this machine has a real wal-g, that is what is
served; else only the checksum is shown, on bytes that are no engine and never run.
"""

import functools
import hashlib
import http.server
import io
import shutil
import tarfile
import threading
from collections.abc import Iterator
from pathlib import Path

import pytest

from dev.containers import base, client, image
from dev.harness import Machine

_NAME = "walsup-test:wal-g-stage"


@pytest.fixture
def served(tmp_path: Path) -> Iterator[tuple[Path, str]]:
    """A directory, and the address at which a release in it can be fetched."""
    folder = tmp_path / "releases"
    folder.mkdir()
    handler = functools.partial(_Quiet, directory=str(folder))
    with http.server.ThreadingHTTPServer(("127.0.0.1", 0), handler) as server:
        thread = threading.Thread(target=server.serve_forever)
        thread.start()
        try:
            yield folder, f"http://127.0.0.1:{server.server_port}"
        finally:
            server.shutdown()
            thread.join()


class _Quiet(http.server.SimpleHTTPRequestHandler):
    def log_message(self, *_: object) -> None:
        """Say nothing."""


def _build(*words: str, name: str = _NAME) -> tuple[int, str]:
    base.make_debian()
    with image.context([]) as folder:
        done = image.try_build(
            folder, "--build-arg=ENGINE=wal-g", "--target=engine", f"--tag={name}", *words
        )
    return done.returncode, done.stdout + done.stderr


def _arguments(url: str, content: bytes) -> tuple[str, str]:
    digest = hashlib.sha256(content).hexdigest()
    return f"--build-arg=WALG_URL={url}", f"--build-arg=WALG_SHA256={digest}"


@pytest.mark.usefixtures("daemon")
@pytest.mark.parametrize("missing", ["WALG_URL", "WALG_SHA256"])
def test_both_arguments_are_required(missing: str) -> None:
    """Nothing is fetched without a checksum; the message names what is missing."""
    given = {"WALG_URL": "http://127.0.0.1:9/wal-g", "WALG_SHA256": "0" * 64}
    words = [f"--build-arg={name}={value}" for name, value in given.items() if name != missing]
    code, output = _build(*words)
    assert code != 0
    assert f"needs --build-arg {missing}" in output


@pytest.mark.usefixtures("daemon")
def test_a_wrong_checksum_ends_the_build(served: tuple[Path, str]) -> None:
    """Both checksums are shown, and the bytes were never run."""
    folder, address = served
    (folder / "wal-g").write_bytes(b"not what was published")
    url, wrong = _arguments(f"{address}/wal-g", b"what was published")
    code, output = _build(url, wrong)
    assert code != 0
    assert "the checksum of" in output
    for content in (b"what was published", b"not what was published"):
        assert hashlib.sha256(content).hexdigest() in output


@pytest.mark.usefixtures("daemon")
def test_a_right_checksum_of_something_else_is_no_engine(served: tuple[Path, str]) -> None:
    """An archive without the program is told as that."""
    folder, address = served
    with tarfile.open(folder / "release.tar.gz", "w:gz") as archive:
        entry = tarfile.TarInfo("README")
        entry.size = 2
        archive.addfile(entry, io.BytesIO(b"hi"))
    content = (folder / "release.tar.gz").read_bytes()
    code, output = _build(*_arguments(f"{address}/release.tar.gz", content))
    assert code != 0
    assert "no wal-g in" in output
    assert "the checksum of" not in output.rpartition("fetch-wal-g.sh")[2]


@pytest.mark.usefixtures("daemon")
@pytest.mark.parametrize("form", ["program", "archive"])
def test_a_right_checksum_builds_the_release_in(
    served: tuple[Path, str], machine: Machine, form: str
) -> None:
    """The program itself, or a .tar.gz with it under the name that WAL-G's releases have."""
    folder, address = served
    if "wal-g" not in machine.engines:
        print("no wal-g on this machine: only the checksum's refusals were shown")  # noqa: T201
        return
    program = Path(shutil.which("wal-g", path=machine.search_path("wal-g")) or "").resolve()
    release = folder / "wal-g-pg-22.04-amd64"
    shutil.copy(program, release)
    if form == "archive":
        with tarfile.open(f"{release}.tar.gz", "w:gz", compresslevel=1) as archive:
            archive.add(release, arcname=release.name)
        release = Path(f"{release}.tar.gz")
    name = f"{_NAME}-{form}"
    url = f"{address}/{release.name}"
    code, output = _build(*_arguments(url, release.read_bytes()), name=name)
    assert code == 0, output
    shown = client.docker("run", "--rm", "--entrypoint", "/engine/wal-g", name, "--version")
    assert "wal-g version" in shown

"""What is in the image, and what is not."""

import json
from pathlib import Path

import pytest

from dev.containers import client, docker


def _in(image: str, script: str) -> str:
    return docker("run", "--rm", "--entrypoint", "bash", image, "-euo", "pipefail", "-c", script)


def test_its_configuration_is_the_contract(default_image: str) -> None:
    """No VOLUME hides a forgotten mount; root gives a fresh volume away; labels say what it is."""
    found = json.loads(docker("image", "inspect", default_image))[0]
    config = found["Config"]
    assert not config.get("Volumes")
    assert config["User"] == ""
    assert config["StopSignal"] == "SIGINT"
    assert config["Cmd"] == ["postgres"]
    assert config["Healthcheck"]["Test"] == ["CMD", "walsup-healthy"]
    assert set(config["ExposedPorts"]) == {"5432/tcp", "9351/tcp"}
    assert config["Labels"]["org.opencontainers.image.licenses"] == "Apache-2.0 AND PostgreSQL"
    environment = dict(pair.split("=", 1) for pair in config["Env"])
    assert environment["PGDATA"] == "/var/lib/postgresql/data"
    assert environment["LANG"] == "en_US.utf8"
    print(f"size: {found['Size'] / 1e6:.0f} MB")  # noqa: T201 (a figure)


@pytest.mark.parametrize(
    "program", ["pip", "pip3", "gcc", "cc", "cargo", "make", "curl", "gpg", "strip"]
)
def test_nothing_that_builds_is_left(default_image: str, program: str) -> None:
    """Neither Debian's nor in walsup's own environment."""
    absent = f"! command -v {program} && ! compgen -G '/opt/walsup/bin/{program}*'"
    assert (
        client.run("run", "--rm", "--entrypoint", "bash", default_image, "-c", absent).stdout == ""
    )
    _in(default_image, absent)


def test_no_cache_is_left(default_image: str) -> None:
    """No package lists, no downloads, no logs, no cargo's or pip's."""
    found = _in(
        default_image, "find /var/lib/apt/lists /var/cache /var/log /root/.cache -type f || :"
    )
    assert found == ""


def test_walsup_is_installed_and_compiled(default_image: str) -> None:
    """Not editable, no source tree; each module has bytecode that is never compared or written."""
    where = _in(
        default_image, "/opt/walsup/bin/python -I -c 'import walsup; print(walsup.__file__)'"
    )
    assert Path(where).match("/opt/walsup/lib/python3.*/site-packages/walsup/__init__.py")
    script = """
import importlib.util, pathlib, sys
for source in pathlib.Path("/opt/walsup/lib").rglob("*.py"):
    cached = pathlib.Path(importlib.util.cache_from_source(str(source)))
    if not cached.exists() or cached.read_bytes()[4] != 1:
        print(source)
"""
    assert _in(default_image, f"/opt/walsup/bin/python -I -c '{script}'") == ""
    # The standard library too: what Debian has not compiled would be compiled at each start.
    stdlib = "/opt/walsup/bin/python -I -v -c 'import asyncio, asyncpg, click, h11' 2>&1"
    assert _in(default_image, f"{stdlib} | grep -c \"code object from '.*\\.py'\" || :") == "0"


def test_no_account_has_a_password(default_image: str) -> None:
    """No hash in /etc/shadow; the ids are the official image's."""
    assert _in(default_image, "cut -d: -f2 /etc/shadow | sort -u").split() in (["!", "*"], ["*"])
    assert _in(default_image, "id postgres").startswith("uid=999(postgres) gid=999(postgres) ")


def test_a_childs_packages_can_be_installed(default_image: str) -> None:
    """`FROM walsup` plus an extension: apt finds nothing broken."""
    assert _in(default_image, "dpkg --audit; apt-get check 2>&1 | grep -i broken || :") == ""

"""How this machine reaches its package registries, handed to `docker build` as it is.

Nothing of it is written down here or left in an image.
"""

import os
import subprocess
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

_CA_BUNDLES = ("SSL_CERT_FILE", "CURL_CA_BUNDLE", "REQUESTS_CA_BUNDLE")
_PROXIES = ("http_proxy", "https_proxy", "no_proxy", "HTTP_PROXY", "HTTPS_PROXY", "NO_PROXY")
_SYSTEM_BUNDLE = Path("/etc/ssl/certs/ca-certificates.crt")
_CARGO = Path(os.environ.get("CARGO_HOME", Path.home() / ".cargo")) / "config.toml"


@contextmanager
def build_arguments() -> Iterator[list[str]]:
    """The words of `docker build` that make the host's network, CAs and indexes its own."""
    words = ["--network=host"]
    words += [f"--build-arg={name}" for name in _PROXIES if name in os.environ]
    if (bundle := ca_bundle()) is not None:
        words.append(f"--secret=id=ca,src={bundle}")
    if _CARGO.exists():
        words.append(f"--secret=id=cargo,src={_CARGO}")
    with tempfile.NamedTemporaryFile("w", prefix="walsup-pip-") as pip:
        pip.write(_pip_configuration())
        pip.flush()
        yield [*words, f"--secret=id=pip,src={pip.name}"]


def ca_bundle() -> Path | None:
    """The certificates that this machine trusts."""
    named = (os.environ.get(name) for name in _CA_BUNDLES)
    found = (Path(name) for name in (*named, str(_SYSTEM_BUNDLE)) if name)
    return next((path for path in found if path.is_file()), None)


def debian_repositories() -> list[tuple[str, str]]:
    """Where apt gets Debian from: pairs of address and suite, of this machine's own release."""
    wanted = "$(REPO_URI) $(CODENAME)"
    argv = ["apt-get", "indextargets", "--format", wanted, "Created-By: Packages", "Origin: Debian"]
    lines = subprocess.run(argv, check=True, capture_output=True, text=True).stdout.splitlines()
    return sorted({(line.split()[0], line.split()[1]) for line in lines})


def _pip_configuration() -> str:
    """pip.conf, from its files and PIP_* variables alike; paths of this machine mean nothing."""
    lines = subprocess.run(
        ["python3", "-m", "pip", "config", "list"], check=False, capture_output=True, text=True
    ).stdout.splitlines()
    given: dict[str, str] = {}
    for line in lines:
        name, _, value = line.partition("=")
        key = name.removeprefix("global.").removeprefix(":env:.")
        if key in {"index-url", "extra-index-url", "trusted-host", "timeout", "proxy"}:
            given[key] = value.strip("'\"")
    return "[global]\n" + "".join(f"{key} = {value}\n" for key, value in given.items())

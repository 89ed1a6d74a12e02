"""Keys that are lent to an engine which runs for hours: it asks for them again as it runs."""

import json
import os
import secrets
import socket
import subprocess
import sys
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import NamedTuple

from walsup.archive import keyserver
from walsup.kernel import die_with_parent
from walsup.private import write_private
from walsup.settings import Settings

_FILE = "lent-keys.json"
_CONFIG = "lent.json"
_GIVEN = ("AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY", "AWS_SESSION_TOKEN")
# With one of these WAL-G gets its keys by the given ones, and asks nobody for the given ones.
_OWN_WAYS = ("AWS_ROLE_ARN", "AWS_WEB_IDENTITY_TOKEN_FILE", "YC_", "USE_YC")
_CONNECT_S = 2.0


class Loan(NamedTuple):
    """What an engine is started with, and the file from which its keys are lent."""

    config: Path
    environment: Mapping[str, str]
    file: Path
    word: str

    def put(self, source: Settings) -> None:
        """Lend these keys from now on."""
        content = {
            "word": self.word,
            "key": source.access_key_id,
            "secret": source.secret_access_key,
            "token": source.session_token or "",
        }
        write_private(self.file, json.dumps(content))


def is_possible(source: Settings, engine: str) -> bool:
    """Return whether the engine can be lent the keys of `source`.

    WAL-RUS signs a session token with every borrowed key, and S3 rejects an empty one.
    """
    if not source.access_key_id or not source.secret_access_key:
        return False
    if engine == "walrus":
        return bool(source.session_token)
    return not any(name.startswith(_OWN_WAYS) for name in source.passed_on)


@contextmanager
def lent(source: Settings, engine: str, config: Path, run_dir: Path) -> Iterator[Loan | None]:
    """Lend the keys of `source`, of which `config` is the configuration; None: impossible here."""
    if not is_possible(source, engine):
        yield None
        return
    word, parent = secrets.token_hex(16), os.getpid()
    with socket.socket(socket.AF_INET, socket.SOCK_STREAM) as listener:
        try:
            listener.bind(("127.0.0.1", 0))
            listener.listen(64)
            where = listener.getsockname()
            socket.create_connection(where, _CONNECT_S).close()
        except OSError:  # no loopback device
            yield None
            return
        loan = Loan(
            config=run_dir / _CONFIG,
            environment=_environment(engine, f"http://127.0.0.1:{where[1]}/{word}"),
            file=run_dir / _FILE,
            word=word,
        )
        loan.put(source)
        rendered = json.loads(config.read_text(encoding="utf-8"))
        kept = {name: text for name, text in rendered.items() if name not in _GIVEN}
        write_private(loan.config, json.dumps(kept))
        server = subprocess.Popen(
            [sys.executable, "-I", "-S", str(Path(keyserver.__file__).resolve()), str(loan.file)],
            stdin=listener.fileno(),
            stdout=subprocess.DEVNULL,
            stderr=subprocess.DEVNULL,
            env={},
            preexec_fn=lambda: die_with_parent(parent),  # noqa: PLW1509 (prepare has one thread)
        )
    try:
        yield loan
    finally:
        server.kill()
        server.wait()
        loan.file.unlink(missing_ok=True)


def _environment(engine: str, url: str) -> dict[str, str]:
    if engine == "walrus":
        return {"AWS_EC2_METADATA_SERVICE_ENDPOINT": url}
    # Files of a home directory would win.
    files = {"AWS_SHARED_CREDENTIALS_FILE": "/dev/null", "AWS_CONFIG_FILE": "/dev/null"}
    return {"AWS_CONTAINER_CREDENTIALS_FULL_URI": url, **files}

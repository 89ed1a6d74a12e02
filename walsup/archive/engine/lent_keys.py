"""Keys that are lent to an engine that runs for hours: it requests them again while it runs."""

import json
import os
import secrets
import socket
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from walsup import log
from walsup.archive.engine import key_server
from walsup.settings import Settings
from walsup.system.prctl import die_with_parent
from walsup.system.private_files import write_private

_FILE = "lent-keys.json"
_CONFIG = "lent.json"
_GIVEN = ("AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY", "AWS_SESSION_TOKEN")
# With one of these WAL-G derives its keys from the static ones, and does not request those.
_OWN_WAYS = ("AWS_ROLE_ARN", "AWS_WEB_IDENTITY_TOKEN_FILE", "YC_", "USE_YC")
_CONNECT_S = 2.0


class Loan:
    """What an engine is started with, and the program that lends it keys meanwhile.

    `config`: the engine's configuration, without keys; `environment`: where it requests them.
    """

    def __init__(self, listener: socket.socket, engine: str, run_dir: Path) -> None:
        self._word = secrets.token_hex(16)
        self._listener = listener
        self._file = run_dir / _FILE
        self._server: subprocess.Popen[bytes] | None = None
        port = listener.getsockname()[1]
        self.config = run_dir / _CONFIG
        self.environment = _environment(engine, f"http://127.0.0.1:{port}/{self._word}")

    @property
    def server_pid(self) -> int:
        """Return the pid of the program that answers the engine, 0: it does not run."""
        return self._server.pid if self._server and self._server.poll() is None else 0

    def put(self, source: Settings) -> None:
        """Lend these keys from now on."""
        content = {
            "word": self._word,
            "key": source.access_key_id,
            "secret": source.secret_access_key,
            "token": source.session_token or "",
        }
        write_private(self._file, json.dumps(content))

    def keep_serving(self) -> None:
        """Start the program that answers, also after it died; requests wait for it.

        The listening socket stays open here, so no request is refused in between.

        Raises:
            OSError: it cannot be started now.
        """
        if self.server_pid:
            return
        if self._server is not None:
            log.warning("keys.server_restarted", exit_code=self._server.returncode)
        parent = os.getpid()
        program = str(Path(key_server.__file__).resolve())
        self._server = subprocess.Popen(
            [sys.executable, "-I", "-S", program, str(self._file)],
            stdin=self._listener.fileno(),
            stdout=subprocess.DEVNULL,
            stderr=subprocess.DEVNULL,
            env={},
            preexec_fn=lambda: die_with_parent(parent),  # noqa: PLW1509 (prepare has one thread)
        )

    def end(self) -> None:
        """Stop lending."""
        if self._server is not None:
            self._server.kill()
            self._server.wait()
        self._file.unlink(missing_ok=True)


def is_possible(source: Settings, engine: str) -> bool:
    """Return whether the keys of `source` can be lent to the engine.

    WAL-RUS sends a session token with every lent key, and S3 rejects an empty one.
    """
    if not source.access_key_id or not source.secret_access_key:
        return False
    if engine == "walrus":
        return bool(source.session_token)
    return not any(name.startswith(_OWN_WAYS) for name in source.passed_on)


@contextmanager
def lent(source: Settings, engine: str, config: Path, run_dir: Path) -> Iterator[Loan | None]:
    """Lend the keys of `source`, whose configuration is `config`. None: not possible here."""
    if not is_possible(source, engine):
        yield None
        return
    with socket.socket(socket.AF_INET, socket.SOCK_STREAM) as listener:
        try:
            listener.bind(("127.0.0.1", 0))
            listener.listen(64)
            socket.create_connection(listener.getsockname(), _CONNECT_S).close()
        except OSError:  # no loopback device
            yield None
            return
        loan = Loan(listener, engine, run_dir)
        loan.put(source)
        rendered = json.loads(config.read_text(encoding="utf-8"))
        kept = {name: text for name, text in rendered.items() if name not in _GIVEN}
        write_private(loan.config, json.dumps(kept))
        try:
            loan.keep_serving()
            yield loan
        finally:
            loan.end()


def _environment(engine: str, url: str) -> dict[str, str]:
    if engine == "walrus":
        return {"AWS_EC2_METADATA_SERVICE_ENDPOINT": url}
    # Files of a home directory would take precedence.
    files = {"AWS_SHARED_CREDENTIALS_FILE": "/dev/null", "AWS_CONFIG_FILE": "/dev/null"}
    return {"AWS_CONTAINER_CREDENTIALS_FULL_URI": url, **files}

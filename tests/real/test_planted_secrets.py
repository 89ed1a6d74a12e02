"""Secrets of every awkward kind, printed by children and servers that fail: none is shown."""

import base64
import collections
import html
import http.server
import json
import shlex
import shutil
import threading
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any, ClassVar
from urllib.parse import quote, quote_plus

import pytest

from dev.harness import Walsup
from dev.harness.checks.witness import cli, status, wait_protected
from dev.harness.processes.pg import PgToolError

Make = Callable[..., Walsup]

LONG = "".join(chr(33 + number * 7 % 94) for number in range(4000))
PLANTED = (
    *(
        "it's-one-quote",
        '"quoted" all over',
        "back\\slash\\\\twice",
        "100%%d %s %27",
        "tab\tinside",
    ),
    *(
        "key-line-one\nkey-line-two\nkey-line-three",
        "pässwörd-ä",
        "снег☃снег",
        "😀-smile",
        "x",
        "'",
        "§",
    ),
    *("{json: [1, 2]}", "<xml>&amp;</xml>", "$(reboot) `id`", "a b  c   d", "://u:p@h/"),
    *("wJalrXUtnFEMI/K7MDENG+bPxRfiCYEXAMPLEKEY", LONG, "hunter2"),
)
ENCODERS: tuple[Callable[[str], str], ...] = (
    lambda text: f"'{text}'",
    lambda text: "E'" + text.replace("\\", "\\\\").replace("'", "''") + "'",
    lambda text: "'" + text.replace("\\", "\\\\").replace("'", "\\'") + "'",
    lambda text: '"' + text.replace('"', '""') + '"',
    json.dumps,
    lambda text: json.dumps(text, ensure_ascii=False),
    lambda text: json.dumps({"said": json.dumps(text)}),
    lambda text: f"password={quote(text, safe='')}",
    lambda text: f"password={quote_plus(text)}",
    lambda text: base64.b64encode(f"user:{text}-tail".encode()).decode(),
    lambda text: "\\x" + text.encode().hex(),
    lambda text: f'"{html.escape(text)}"',
    lambda text: f"'{text}'" if "'" not in text else shlex.quote(text),
    repr,
)
ENGINE = r"""#!/bin/sh
case "$*" in
*--version*) echo "walrus 0.4.1"; exit 0 ;;
*backup-fetch*) ;;
*) exec {real} "$@" ;;
esac
n=$(ls {place}/ran | wc -l)
mktemp {place}/ran/XXXXXX >/dev/null
cat {place}/said.$((n % {files}))
exit 1
"""


def _lines(encode: Callable[[str], str]) -> str:
    """What a program would print: one line a secret."""
    return "".join(f"ERROR: request {encode(one)} failed\n" for one in PLANTED)


def _needles() -> Iterator[str]:
    for one in PLANTED:
        # Three bytes and less are everywhere in encoded texts; a letter is everywhere.
        tiny = len(one) < 3 and one.isascii()
        for encode in ENCODERS[:6] if tiny else ENCODERS:
            yield encode(one)
        if not tiny:
            yield from (line for line in one.splitlines() if len(line) > 1)
    yield from (LONG[at : at + 60] for at in range(0, len(LONG) - 60, 60))


def assert_hidden(one: Walsup, *more: str) -> None:
    """No secret is in what anybody sees; files that hold one are the user's alone."""
    shown = [*more, one.log(), one.layout.termination_log.read_text()]
    if (one.run_dir / "state").exists():
        shown.append((one.run_dir / "state").read_text())
    needles = set(_needles())
    for text in shown:
        assert not [needle for needle in needles if needle in text]
    holding = [
        path
        for path in one.run_dir.rglob("*")
        if path.is_file()
        and any(needle.encode() in path.read_bytes() for needle in needles if len(needle) > 8)
    ]
    assert holding
    assert not [path for path in holding if path.stat().st_mode & 0o077]


def plant(one: Walsup) -> None:
    """Give all of them as settings that hold a secret; four of them have a meaning."""
    one.environment |= {
        f"WALG_PLANTED_{number}_KEY": text for number, text in enumerate(PLANTED)
    } | {
        "POSTGRES_PASSWORD": PLANTED[0],
        "WALSUP_REPLICATION_PASSWORD": PLANTED[2],
        "AWS_SESSION_TOKEN": "",
    }


def _give(one: Walsup, path: Path, text: str, mode: int) -> None:
    path.write_text(text)
    path.chmod(mode)
    one.machine.give_to_database(path)


@pytest.mark.timeout(180)
def test_no_secret_is_shown_of_scripts_that_fail(walsup: Make) -> None:
    """The container's first start prints a script's last lines."""
    one = walsup(s3=None)
    plant(one)
    scripts = one.layout.base / "scripts"
    scripts.mkdir(mode=0o755)
    one.environment["WALSUP_INITDB_DIR"] = str(scripts)
    for encode in ENCODERS[:4]:
        _give(one, scripts / "said", _lines(encode), 0o644)
        _give(one, scripts / "1.sh", f"cat {scripts}/said\nexit 3\n", 0o644)
        one.start()
        assert one.wait(60) == 70
        assert "request" in one.log()
        assert_hidden(one)


@pytest.mark.timeout(180)
def test_no_secret_is_shown_of_an_engine_that_fails(walsup: Make) -> None:
    """A restore fetches again and again; every child prints them in another form."""
    first = walsup(engine="walrus").start()
    wait_protected(first)
    assert first.stop() == 0
    one = walsup(engine="walrus", prefix=first.prefix)
    plant(one)
    place = one.layout.base / "engine"
    (place / "ran").mkdir(parents=True)
    for number, encode in enumerate(ENCODERS):
        _give(one, place / f"said.{number}", _lines(encode), 0o644)
    real = shutil.which("walrus", path=one.environment["PATH"])
    program = ENGINE.format(place=place, files=len(ENCODERS), real=real)
    _give(one, place / "walrus", program, 0o755)
    one.machine.give_to_database(place / "ran")
    one.environment["PATH"] = f"{place}:{one.environment['PATH']}"
    one.environment["WALSUP_ON_EMPTY_PGDATA"] = "restore"
    codes = collections.Counter[int]()
    while len(list((place / "ran").iterdir())) < len(ENCODERS):
        one.start()
        codes[one.wait(60)] += 1
        assert_hidden(one)
        assert "***" in one.layout.termination_log.read_text()
    assert set(codes) == {73}


class _Echo(http.server.BaseHTTPRequestHandler):
    """An S3 server that answers every request with secrets in the words of its error."""

    asked: ClassVar[collections.Counter[str]] = collections.Counter()

    def _answer(self) -> None:
        number = self.asked.total()
        self.asked[self.command] += 1
        self.rfile.read(int(self.headers.get("content-length") or 0))
        said = ENCODERS[number % len(ENCODERS)](PLANTED[number % len(PLANTED)])
        sent = f"{said} {self.headers.get('authorization')}"
        code = ("AccessDenied", "InternalError", "SignatureDoesNotMatch", "Odd")[number % 4]
        body = f"<Error><Code>{code}</Code><Message>{html.escape(sent)}</Message></Error>".encode()
        self.send_response(403 if number % 2 else 500)
        self.send_header("content-length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    do_GET = do_PUT = do_HEAD = do_POST = do_DELETE = _answer  # noqa: N815 (the module's names)

    def log_message(self, *_: Any) -> None:  # noqa: ANN401 (the module's signature)
        """Say nothing."""


@pytest.mark.timeout(120)
def test_no_secret_is_shown_of_a_server_that_echoes_them(walsup: Make) -> None:
    """Log, pages, metrics, state, the verdict of a stop and the database's own log."""
    one = walsup(s3=None).start()
    one.wait_accepts()
    assert one.stop() == 0
    plant(one)
    _Echo.asked.clear()
    with http.server.ThreadingHTTPServer(("127.0.0.1", 0), _Echo) as server:
        threading.Thread(target=server.serve_forever, daemon=True).start()
        one.environment |= {
            "WALSUP_ARCHIVE": "s3://bucket/place",
            "AWS_ENDPOINT": f"http://127.0.0.1:{server.server_port}",
            "AWS_ACCESS_KEY_ID": "AKIAPLANTEDPLANTED",
            "AWS_SECRET_ACCESS_KEY": PLANTED[17],
            "WALSUP_STOP_GRACE": "8s",
        }
        one.start()
        shown: list[str] = []

        def asked_enough() -> bool:
            pages = [one.http(path)[1] for path in ("/status", "/readyz", "/metrics")]
            shown.extend(json.dumps(page, ensure_ascii=False) for page in pages)
            shown.extend(f["problem"] for f in status(one).get("faults", {}).values())
            return _Echo.asked.total() >= 3

        one.wait_for(asked_enough, "requests have failed")
        for command in (("restore", "--list"), ("adopt", "--yes"), ("wipe",)) * 4:
            done = cli(one, *command)
            assert done.returncode
            shown.append(done.stdout + done.stderr)
        assert _Echo.asked.total() >= 15
        assert "AKIAPLANTEDPLANTED" not in "".join(shown)
        assert one.stop() == 0
        server.shutdown()
    assert_hidden(one, *shown)


def test_the_superuser_logs_in_with_an_odd_password(walsup: Make) -> None:
    """And no statement of the first start has had the password: what is stored was computed."""
    user = "%s b-ä;--"
    password = "n\u00adbreak\u00a0ﬁ 'quote\" \\ %"  # SASLprep changes it
    one = walsup(s3=None, env={"POSTGRES_USER": user, "POSTGRES_PASSWORD": password}).start()
    one.wait_for(lambda: status(one).get("ready"), "ready")
    (one.pgdata / "pg_hba.conf").write_text("local all all scram-sha-256\n")
    one.psql("select pg_reload_conf()", user=user)
    address = one.address._replace(password=password)
    assert one.tools.psql(address, "select 1", user=user) == "1"
    with pytest.raises(PgToolError, match="password authentication failed"):
        one.tools.psql(address._replace(password="another"), "select 1", user=user)
    assert password not in one.log()


def test_a_superuser_that_initdb_cannot_make_is_named(walsup: Make) -> None:
    """Before initdb fails at a statement of its own, which it prints."""
    for user in ('a"b', "a'b", "$a", "a\\b"):
        one = walsup(s3=None, env={"POSTGRES_USER": user, "POSTGRES_PASSWORD": LONG}).start()
        assert one.wait() == 64
        assert f"POSTGRES_USER: {user} contains" in one.layout.termination_log.read_text()
        assert LONG[:60] not in one.log()
        assert not list(one.pgdata.iterdir())
        one.close()

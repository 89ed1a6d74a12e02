"""The agent's HTTP under a flood, and whose agent it is that a command shows."""

import contextlib
import resource
import signal
import socket
import subprocess
import sys
import threading
import time
from collections import Counter
from collections.abc import Callable, Iterator
from pathlib import Path

from dev.harness import S3Server, Walsup
from dev.harness.checks.witness import cli, owner, status, wait_protected
from dev.harness.processes.machine import PYTHON, ROOT

Make = Callable[..., Walsup]

GET = b"GET /status HTTP/1.1\r\nHost: x\r\n\r\n"
HALF = b"GET /status HTTP/1.1\r\nHost: x\r\nX-Slow: "
LEASE_S = 3


@contextlib.contextmanager
def _flood(port: int, each: Callable[[socket.socket], None], number: int) -> Iterator[None]:
    """Hold `number` connections open from one address, again and again when they are closed."""
    resource.setrlimit(
        resource.RLIMIT_NOFILE, (8192, resource.getrlimit(resource.RLIMIT_NOFILE)[1])
    )
    stop = threading.Event()

    def flood() -> None:
        while not stop.is_set():
            with contextlib.ExitStack() as held:
                for _ in range(number):
                    if stop.is_set():
                        return
                    sock = held.enter_context(socket.socket())
                    sock.setblocking(False)  # noqa: FBT003 (the call takes no keyword)
                    sock.connect_ex(("127.0.0.1", port))
                    with contextlib.suppress(OSError):
                        each(sock)
                stop.wait(0.5)

    thread = threading.Thread(target=flood, daemon=True)
    thread.start()
    try:
        yield
    finally:
        stop.set()
        thread.join(20)


def _half_request(sock: socket.socket) -> None:
    time.sleep(0.0005)  # connected by now
    sock.send(HALF)


def _pipeline(sock: socket.socket) -> None:
    time.sleep(0.0005)
    sock.send(GET * 300)  # and the answers are never read


def _watch(one: Walsup, s3: S3Server, for_s: float) -> list[str]:
    """Ask as kubelet does, with its deadline and three tries; gives what was wrong meanwhile."""
    wrong = []
    failed: Counter[str] = Counter()
    epoch = owner(s3, one.prefix)["epoch"]
    until_s = time.monotonic() + for_s
    while time.monotonic() < until_s:
        for path in ("/readyz", "/livez", "/startupz", "/metrics"):
            code, body = one.http(path, timeout_s=5.0)
            failed[path] = 0 if code == 200 else failed[path] + 1
            if failed[path] == 3:
                wrong.append(f"{path}: {code} {body}")
        found = status(one)
        if found and found["gate"]["state"] != "open":
            wrong.append(f"status: {found.get('gate')}")
        time.sleep(0.1)
    if owner(s3, one.prefix)["epoch"] != epoch:
        wrong.append("another epoch")
    return wrong


def test_a_flood_of_connections_costs_neither_a_probe_nor_the_lease(
    walsup: Make, s3: S3Server
) -> None:
    """1,500 half requests, slow readers and idle connections against 1,024 descriptors."""
    one = walsup(env={"WALSUP_LEASE": f"{LEASE_S}s"})
    one.before = ["prlimit", "--nofile=1024:1024"]
    one.start()
    wait_protected(one)
    port = one.layout.http_port
    for each in (_half_request, _pipeline, lambda _: None):
        with _flood(port, each, 1500):
            assert not _watch(one, s3, 3 * LEASE_S)
        agent = one.pid_of("agent")
        held = len(list(Path(f"/proc/{agent}/fd").iterdir()))
        assert held < 200, "descriptors are left to the lease, the bucket and the database"
    assert not one.events("lease.over")
    assert "Traceback" not in one.log()
    assert len([e for e in one.events() if e.get("process") == "agent"]) < 100


def test_a_command_shows_the_agent_of_its_own_data_directory(walsup: Make) -> None:
    """Two databases with one WALSUP_HTTP: each is told of itself, or that it is another's."""
    one = walsup().start()
    wait_protected(one)
    two = walsup(s3=None, env={"WALSUP_HTTP": one.environment["WALSUP_HTTP"]}).start()
    two.wait_accepts()
    two.wait_event("fault.appeared")

    shown = cli(two, "status")
    assert shown.returncode == 1, shown
    assert "protected  NO" in shown.stdout
    assert "address in use" in shown.stdout
    assert cli(one, "status").returncode == 0

    two.kill("agent", signal.SIGSTOP)  # the port answers all the same, as the other's
    assert cli(two, "status").returncode == 2
    socket_path = two.run_dir / "agent.sock"
    socket_path.unlink()
    shown = cli(two, "status")
    assert shown.returncode == 2, shown
    assert f"not to {two.pgdata}" in shown.stderr
    two.kill("agent", signal.SIGCONT)
    two.wait_for(socket_path.exists, "the socket is made again")
    assert cli(two, "status").returncode == 1

    assert two.stop() == 0
    shown = cli(two, "status")
    assert shown.returncode == 2, shown
    assert "protected" not in shown.stdout
    assert one.stop() == 0
    assert cli(one, "status").returncode == 2


def test_a_command_is_not_misled_by_another_program_on_the_port(
    walsup: Make,
) -> None:
    """Whatever it answers; the agent says that the port is in use and answers when it is free."""
    one = walsup(s3=None)
    with socket.socket() as other:
        other.bind(("127.0.0.1", one.layout.http_port))
        other.listen()
        one.start()
        one.wait_accepts()
        shown = one.wait_for(
            lambda: found if "address in use" in (found := cli(one, "status")).stdout else None,
            "the port is reported",
        )
        assert shown.returncode == 1
    one.wait_for(lambda: status(one), "HTTP answers on the port")
    (one.run_dir / "agent.sock").unlink()
    assert cli(one, "status").returncode == 1, "over HTTP, compared"
    without = {**one.environment, "http_proxy": "http://127.0.0.1:9"}
    one.environment = without
    assert cli(one, "status").returncode == 1


def test_the_default_address_answers_where_there_is_ipv6_alone(walsup: Make) -> None:
    """In a network without IPv4: HTTP, the command and the probe; and on IPv4 where there is."""
    one = walsup(s3=None, env={"WALSUP_HTTP": None})
    network = 'ip link set lo up && ip addr del 127.0.0.1/8 dev lo && exec "$@"'
    one.before = ("unshare", "--net", "sh", "-c", network, "sh")
    one.start().wait_accepts()
    inside = ("nsenter", f"--target={one.init_pid}", "--net")
    ask = "import urllib.request as u; print(u.urlopen('http://[::1]:9351/livez').status)"
    one.wait_for(lambda: _said(*inside, sys.executable, "-c", ask) == "200", "it answers on IPv6")
    (one.run_dir / "agent.sock").unlink()
    told = [*inside, str(PYTHON), "-I", "-m", "walsup", "status"]
    done = subprocess.run(told, env=one.environment, check=False, capture_output=True, text=True)
    assert "WALSUP_ARCHIVE is not set" in done.stdout, done
    probe = (*inside, str(ROOT / "docker" / "walsup-ready"))
    assert subprocess.run(probe, env=one.environment, check=False).returncode == 0
    assert one.stop() == 0
    one.before = ("unshare", "--net", "sh", "-c", 'ip link set lo up && exec "$@"', "sh")
    one.start().wait_accepts()
    inside = ("nsenter", f"--target={one.init_pid}", "--net")
    asked = "; ".join(ask.replace("[::1]", host) for host in ("127.0.0.1", "[::1]"))
    one.wait_for(lambda: _said(*inside, sys.executable, "-c", asked) == "200\n200", "it answers")
    assert one.stop() == 0


def _said(*argv: str) -> str:
    return subprocess.run(argv, check=False, capture_output=True, text=True).stdout.strip()

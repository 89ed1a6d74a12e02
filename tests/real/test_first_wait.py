"""S11: what a first start waits for is told as any other fault, each class made for real."""

from collections.abc import Callable, Mapping

import pytest

from dev.harness import FaultProxy, Machine, S3Server, Walsup
from dev.harness.checks.words import told_alike
from dev.harness.faults.skew import Skew
from dev.harness.storage.rights import LEAST_PREFIX

Waiting = Callable[[str, Mapping[str, str]], None]

FAULTS: Mapping[str, Callable[[FaultProxy], None]] = {
    "refused": lambda proxy: proxy.refuse(),
    "no bucket": lambda proxy: proxy.answer(404),
    "server error": lambda proxy: proxy.answer(500),
    "throttled": lambda proxy: proxy.answer(503),
    "wrong region": lambda proxy: proxy.answer(301, "PermanentRedirect"),
    "timeout": lambda proxy: proxy.hang(),
}


@pytest.fixture
def waiting(machine: Machine, s3: S3Server) -> Waiting:
    """Starts a walsup with an empty data directory, sees what it waits for, and ends it."""

    def see(kind: str, environment: Mapping[str, str]) -> None:
        with Walsup(machine, s3=s3, env=environment) as one:
            one.start()
            what = f"{kind}, in the same words everywhere"
            fault = one.wait_for(lambda: told_alike(one, "bucket", kind), what)
            [logged] = one.events("archive.waiting")
            assert {word: logged[word] for word in ("kind", "problem", "remedy")} == {
                word: fault[word] for word in ("kind", "problem", "remedy")
            }
            said = f"waiting for the archive ({kind}): {fault['problem']}; {fault['remedy']}"
            assert one.state()["detail"] == said
            assert not list(one.pgdata.iterdir())

    return see


@pytest.mark.rule("empty-means-listed")
def test_faults_of_network_and_server(waiting: Waiting, s3: S3Server) -> None:
    """Log, /status, readiness and metric, before there is a postgres."""
    with FaultProxy(s3.port) as proxy:
        for kind, break_it in FAULTS.items():
            break_it(proxy)
            waiting(kind, {"AWS_ENDPOINT": proxy.endpoint})
    waiting("dns", {"AWS_ENDPOINT": "http://no-such-host.invalid"})
    waiting("tls", {"AWS_ENDPOINT": s3.https_endpoint})


@pytest.mark.rule("empty-means-listed")
def test_keys_rights_and_clocks_as_the_server_itself_refuses_them(
    waiting: Waiting, s3: S3Server
) -> None:
    """A wrong secret, a key that may not list, a clock that is an hour slow."""
    waiting("auth", {"AWS_SECRET_ACCESS_KEY": "wrong"})
    less = {
        "WALSUP_ARCHIVE": f"s3://{s3.bucket}/{LEAST_PREFIX}/x",
        "AWS_ACCESS_KEY_ID": "least-no-ListBucket",
        "AWS_SECRET_ACCESS_KEY": "secret-least-no-ListBucket",
    }
    waiting("no rights", less)
    with Skew(-3600) as skew:
        waiting("clock skew", skew.environment)

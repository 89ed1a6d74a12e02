"""deploy/single.yaml: what it says holds together, and a container made of it lives as promised."""

from collections.abc import Callable

from dev.containers import PASSWORD, Box, S3Box, client
from dev.containers.manifest import Pod
from dev.harness.checks.witness import wait_protected
from dev.harness.processes.machine import ROOT
from walsup import units

Make = Callable[..., Box]

FILE = ROOT / "deploy" / "single.yaml"


def test_what_it_says_holds_together() -> None:
    """The grace is 5 s above walsup's; no probe is HTTP; no secret is in the environment."""
    pod = Pod(FILE)
    env = pod.environment()
    grace_s = units.duration(env["WALSUP_STOP_GRACE"])
    assert pod.spec["terminationGracePeriodSeconds"] == grace_s + 5 == 300
    assert all("exec" in pod.container[f"{of}Probe"] for of in ("startup", "readiness", "liveness"))
    assert env["WALSUP_SECRETS_DIR"] in {m["mountPath"] for m in pod.container["volumeMounts"]}
    assert not [name for name in env if "PASSWORD" in name or "SECRET_" in name]
    assert pod.security["fsGroupChangePolicy"] == "OnRootMismatch"
    assert pod.stateful_set["spec"]["replicas"] == 1


def test_a_container_made_of_it_lives_as_promised(box: Make, s3: S3Box) -> None:
    """User, mounts, limits, secrets, arguments and all three probes are the file's own."""
    pod = Pod(FILE)
    one = box(archive=s3, command=pod.container["args"])
    archive = one.environment["WALSUP_ARCHIVE"]
    secret = {
        "POSTGRES_PASSWORD": PASSWORD,
        "AWS_ACCESS_KEY_ID": s3.access_key,
        "AWS_SECRET_ACCESS_KEY": s3.secret_key,
    }
    one.environment = pod.environment() | {
        "WALSUP_ARCHIVE": archive,
        "AWS_ENDPOINT": s3.endpoint,
        "WALSUP_LOG_FORMAT": "json",
    }
    one.flags += pod.flags(one.folder, secret)
    one.run()
    for kind in ("startup", "readiness"):
        command = pod.container[f"{kind}Probe"]["exec"]["command"]
        one.wait_for(
            lambda words=command: client.run("exec", one.name, *words).returncode == 0,  # type: ignore[misc]
            f"the {kind} probe succeeds",
        )
    one.exec(*pod.container["livenessProbe"]["exec"]["command"])
    one.exec("sh", "-c", 'kill -STOP "$(sed -n s/^agent_pid=//p /run/walsup/state)"')
    one.exec(*pod.container["readinessProbe"]["exec"]["command"])
    wait_protected(one, timeout_s=150)
    assert one.exec("psql", "-U", "postgres", "-Atc", "show shared_buffers") == "512MB"
    assert one.exec("walsup", "status").startswith("protected  yes")
    shown = str(one.inspect()) + one.log()
    assert PASSWORD not in shown
    assert s3.secret_key not in shown
    assert one.stop(grace_s=60) == 0
    assert "is in the bucket: yes" in one.last_word()


def test_the_liveness_probe_sees_a_pid_1_that_has_stopped(box: Make) -> None:
    """It fails when the state file grows old, and is content again when PID 1 goes on."""
    command = Pod(FILE).container["livenessProbe"]["exec"]["command"]
    one = box().run()
    one.wait_accepts()
    one.exec(*command)
    one.kill("STOP")
    old = "touch -d '2 minutes ago' /run/walsup/state"  # what it finds two minutes later
    one.exec("sh", "-c", old)
    assert client.run("exec", one.name, *command).returncode == 1
    one.kill("CONT")
    one.wait_for(lambda: client.run("exec", one.name, *command).returncode == 0, "it is well again")

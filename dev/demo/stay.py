"""`KEEP=1`: everything stays up, with its addresses, until it is told to go."""

import os
import shlex
import time

from dev.demo.stage import Stage
from dev.harness import NotSeenError
from dev.harness.processes.machine import ROOT

_LOOK_EVERY_S = 0.5
_PAGES = ("/status", "/metrics", "/livez", "/readyz", "/startupz")


def stay(stage: Stage) -> None:
    """Print the addresses and wait for Ctrl-C.

    Raises:
        NotSeenError: walsup ended by itself meanwhile.
    """
    stage.narrator.saw("KEEP=1: it stays up\n")
    stage.narrator.plain(_addresses(stage))
    try:
        while stage.walsup.is_running:
            time.sleep(_LOOK_EVERY_S)
    except KeyboardInterrupt:
        stage.narrator.plain()
        return
    raise NotSeenError(f"walsup still running\n{stage.walsup.tail()}")


def _addresses(stage: Stage) -> str:
    walsup, s3, address = stage.walsup, stage.s3, stage.walsup.address
    http = walsup.environment["WALSUP_HTTP"]
    password = walsup.environment["POSTGRES_PASSWORD"]
    psql = [str(stage.machine.bindir / "psql"), "-h", str(address.socket_dir)]
    psql += ["-p", str(address.port), "-U", "postgres"]
    keys = f"access key {s3.access_key}, secret key {shlex.quote(s3.secret_key)}"
    return "\n".join(
        (
            f"  psql     {shlex.join(psql)}",
            f"           or 127.0.0.1:{address.port}, password {password}",
            *(f"  HTTP     http://{http}{page}" for page in _PAGES),
            f"  text     WALSUP_HTTP={http} {ROOT / '.venv/bin/walsup'} status",
            f"  S3       {s3.endpoint}, archive s3://{s3.bucket}/{stage.prefix}",
            f"           {keys}",
            f"  log      {walsup.layout.log_file}",
            f"  PID 1    {walsup.init_pid} (as seen from here)",
            f"  to stop  Ctrl-C, or: kill {os.getpid()}",
            "",
        )
    )

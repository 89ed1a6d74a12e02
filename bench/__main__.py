"""Measure the rows that are asked for, print the table, leave a JSON copy.

A target that is missed is told, it does not fail the run; a row that could not be measured does.
"""

import argparse
import os
import platform
import signal
import subprocess
import sys
import time
from types import FrameType

from bench import table
from bench.figures import Row
from bench.ground import Ground
from bench.rows import ROWS
from dev.harness import Machine, S3Server
from dev.harness.processes.machine import ROOT

_JSON = ROOT / ".dev" / "bench.json"


def main() -> int:
    """Give the exit code."""
    signal.signal(signal.SIGTERM, _leave)
    asked = _arguments()
    machine = Machine.load()
    began_s, rows, failed = time.monotonic(), list[Row](), list[str]()
    with S3Server() as s3:
        for engine in asked.engine or machine.engines:
            ground = Ground(
                machine=machine,
                s3=s3,
                engine=engine,
                rounds=asked.rounds or (2 if asked.quick else 5),
                segments=16 if asked.quick else 48,
                load_s=5 if asked.quick else 15,
                idle_s=10 if asked.quick else 60,
            )
            for name in asked.only or ROWS:
                try:
                    rows += ROWS[name](ground)
                except (AssertionError, OSError, subprocess.SubprocessError) as fault:
                    failed.append(f"{name} [{engine}]: {fault}")
                    ground.say(f"{name} could not be measured: {fault}")
    took_s = time.monotonic() - began_s
    facts = _facts(machine) | {"quick": asked.quick, "took_s": round(took_s), "failed": failed}
    table.write(rows, facts, _JSON)
    print(f"\n{facts['postgres']}, {facts['cpus']} CPUs, load {facts['load']}, {took_s:.0f} s\n")
    if rows:
        print(table.show(rows))
    for problem in failed:
        print(f"\nNOT MEASURED: {problem}")
    print(f"\nAs JSON: {_JSON}")
    return 1 if failed else 0


def _arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="python -m bench", description=__doc__)
    parser.add_argument("--rounds", type=int, help="rounds of each row (5)")
    parser.add_argument("--only", action="append", choices=ROWS, help="this row; may be repeated")
    parser.add_argument("--engine", action="append", help="this engine; may be repeated")
    parser.add_argument("--quick", action="store_true", help="2 short rounds, to try the bench")
    return parser.parse_args()


def _facts(machine: Machine) -> dict[str, object]:
    version = subprocess.run(
        [machine.bindir / "postgres", "--version"], check=True, capture_output=True, text=True
    )
    return {
        "at": time.strftime("%Y-%m-%dT%H:%M:%SZ", time.gmtime()),
        "postgres": version.stdout.strip(),
        "python": platform.python_version(),
        "cpus": os.cpu_count(),
        "load": " ".join(f"{load:.1f}" for load in os.getloadavg()),
        "engines": list(machine.engines),
    }


def _leave(number: int, _frame: FrameType | None) -> None:
    """Unwind, so that everything started is ended."""
    sys.exit(128 + number)


if __name__ == "__main__":
    sys.exit(main())

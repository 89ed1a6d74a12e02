"""The tests that failed beside others and passed when repeated: kept, so that none is forgotten.

`python -m dev.repeated again DIRECTORY` runs once more what the last run of pytest left as failed
there, and keeps what passes then; `show` prints what has been kept since the checkout was made;
`run` runs all of it 20 times.
"""

import json
import subprocess
import sys
from collections import Counter
from pathlib import Path

_LAST_FAILED = Path(".pytest_cache/v/cache/lastfailed")
_KEPT = Path(".dev/repeated-tests")
_PYTEST = [sys.executable, "-m", "pytest"]
_AGAIN = ["--last-failed", "--last-failed-no-failures=none"]
_WITH_SOAK = ["--timeout=3600", "-m", "soak or not soak"]
_WITH_IMAGES = [sys.executable, "-m", "dev.containers"]
_TIMES = 20


def main(arguments: list[str]) -> int:
    """Do one of the three; gives the exit code."""
    match arguments:
        case ["again", directory]:
            return _again(directory)
        case ["show"]:
            for name, times in Counter(_kept()).most_common():
                print(f"failed beside others, passed when repeated, {times} times so far: {name}")
        case ["run"]:
            names = _still_there(set(_kept()))
            in_images = {name for name in names if name.startswith("tests/container/")}
            codes = [_run([*_PYTEST, *_WITH_SOAK], names - in_images)]
            if in_images:
                subprocess.run(["dev/setup", "containers"], check=True)
                codes.append(_run([*_WITH_IMAGES, *_PYTEST, *_WITH_SOAK], in_images))
            return max(codes)
        case _:
            sys.exit("usage: python -m dev.repeated again DIRECTORY | show | run")
    return 0


def _again(directory: str) -> int:
    """Repeat what failed, and keep what passes; gives pytest's exit code."""
    before = _failed(directory)
    code = subprocess.run([*_PYTEST, directory, *_AGAIN], check=False).returncode
    # What has failed twice is no flaky test: the gate fails with it.
    passed = sorted(before - _failed(directory))
    with _KEPT.open("a") as kept:
        kept.writelines(f"{name}\n" for name in passed)
    return code


def _failed(directory: str) -> set[str]:
    if not _LAST_FAILED.exists():
        return set()
    found = json.loads(_LAST_FAILED.read_text())
    return {name for name in found if name.startswith(f"{directory}/")}


def _kept() -> list[str]:
    return _KEPT.read_text().splitlines() if _KEPT.exists() else []


def _still_there(names: set[str]) -> set[str]:
    """Return the tests that have not been renamed: pytest runs none when it misses one."""
    files = {name.partition("::")[0] for name in names}
    there = sorted(file for file in files if Path(file).exists())
    argv = [*_PYTEST, *_WITH_SOAK, "--collect-only", "-q", *there]
    done = subprocess.run(argv, check=False, capture_output=True, text=True) if there else None
    found = names & set(done.stdout.splitlines() if done else ())
    for name in sorted(names - found):
        print(f"not there any more: {name}")
    return found


def _run(argv: list[str], names: set[str]) -> int:
    """Run them one after the other, all of them each time; gives the worst exit code."""
    runs = range(_TIMES if names else 0)
    codes = [subprocess.run([*argv, *sorted(names)], check=False).returncode for _ in runs]
    return max(codes, default=0)


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))

"""The tests that failed beside others and were run once more: kept, so that none is forgotten.

`python -m dev.repeated note DIRECTORY` keeps what the last run of pytest left as failed there;
`show` prints what has been kept since the checkout was made; `run` runs all of it 20 times.
"""

import json
import subprocess
import sys
from collections import Counter
from pathlib import Path

_LAST_FAILED = Path(".pytest_cache/v/cache/lastfailed")
_KEPT = Path(".dev/repeated-tests")
_PYTEST = [sys.executable, "-m", "pytest", "--timeout=3600", "-m", "soak or not soak"]
_WITH_IMAGES = [sys.executable, "-m", "dev.containers"]
_TIMES = 20


def main(arguments: list[str]) -> int:
    """Do one of the three; gives the exit code."""
    kept = _KEPT.read_text().splitlines() if _KEPT.exists() else []
    match arguments:
        case ["note", directory]:
            found = json.loads(_LAST_FAILED.read_text())
            failed = sorted(name for name in found if name.startswith(f"{directory}/"))
            _KEPT.write_text("".join(f"{name}\n" for name in [*kept, *failed]))
        case ["show"]:
            for name, times in Counter(kept).most_common():
                print(f"failed beside others, {times} times so far: {name}")
        case ["run"]:
            in_images = {name for name in kept if name.startswith("tests/container/")}
            codes = [_run(_PYTEST, set(kept) - in_images)]
            if in_images:
                subprocess.run(["dev/setup", "containers"], check=True)
                codes.append(_run([*_WITH_IMAGES, *_PYTEST], in_images))
            return max(codes)
        case _:
            sys.exit("usage: python -m dev.repeated note DIRECTORY | show | run")
    return 0


def _run(argv: list[str], names: set[str]) -> int:
    """Run them one after the other, all of them each time; gives the worst exit code."""
    runs = range(_TIMES if names else 0)
    codes = [subprocess.run([*argv, *sorted(names)], check=False).returncode for _ in runs]
    return max(codes, default=0)


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))

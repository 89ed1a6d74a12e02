"""The command line."""

import os
import subprocess
import sys

_ASKED = """
import atexit, os
atexit.register(os._exit, 99)
from walsup.cli import main
main(["adopt", "--yes"])
"""


def test_adopt_ends_before_the_interpreter_does() -> None:
    """There the bucket's client aborts once in a while, and the code would be 134."""
    environ = {name: text for name, text in os.environ.items() if name == "PATH"}
    done = subprocess.run(
        [sys.executable, "-c", _ASKED], env=environ, capture_output=True, text=True, check=False
    )
    assert done.returncode == 64
    assert "WALSUP_ARCHIVE is not set" in done.stderr

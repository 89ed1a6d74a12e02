"""What a crashed engine said, without the dump that follows."""

from pathlib import Path

import pytest

from walsup.archive.engine.output import classify_output
from walsup.system.output_tail import raw_lines

BUSY = "Resource temporarily unavailable"
NOTE = "note: run with `RUST_BACKTRACE=1` environment variable to display a backtrace"
STACK = """
goroutine 1 [running]:
main.main()
	/src/main.go:7 +0x1d
rax    0x0
gs     0x0
"""


@pytest.mark.parametrize(
    ("text", "said"),
    [
        (f"panic: runtime error: index out of range [3]\n{STACK}", "index out of range [3]"),
        (f"fatal error: all goroutines are asleep - deadlock!\n{STACK}", "are asleep"),
        (
            f"runtime/cgo: pthread_create failed: {BUSY}\nSIGABRT: abort\nPC=0x7f01 m=4\n{STACK}",
            "pthread_create failed",
        ),
        (f"SIGQUIT: quit\nPC=0x46d421 m=0 sigcode=0\n{STACK}", "ended by a signal (quit)"),
        (
            f"thread 'main' panicked at src/pg/fetch.rs:12:5:\nindex out of bounds\n{NOTE}",
            "it crashed: index out of bounds",
        ),
        (
            "thread 'tokio-rt-worker' (17) panicked at src/main.rs:1:2:\nno such part\n",
            "it crashed: no such part",
        ),
    ],
)
def test_the_message_of_a_crash_is_the_problem(tmp_path: Path, text: str, said: str) -> None:
    """Neither an address nor a register is."""
    output = tmp_path / "output"
    dump = "\tmore of a stack\n" * 30 if STACK in text else ""
    output.write_text(f"INFO: 2026/11/23 22:11:28 begun\n{text}{dump}")
    fault = classify_output(raw_lines(output), ())
    assert fault.kind == "engine broken"
    assert said in fault.problem
    assert "0x" not in fault.problem
    assert "goroutine" not in fault.problem.replace("all goroutines", "")

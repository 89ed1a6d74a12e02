"""PID 1 with a prepare that says what a file holds. Run: bare.py ORDERS SILENCE_S."""

import json
import signal
import sys
import time
from pathlib import Path
from typing import TYPE_CHECKING

from walsup.init.children.message_parser import Invalid, from_prepare

if TYPE_CHECKING:
    from walsup.pid1_messages import Send


def prepare(arguments: list[str], _lock: int, send: "Send") -> int:
    """Send each message; `{"hold": 1}` stays for ever, `{"end": n}` ends with n."""
    for message in json.loads(Path(arguments[0]).read_text(encoding="utf-8")):
        if "hold" in message:
            time.sleep(1000)
        if "end" in message:
            return int(message["end"])
        said = from_prepare(json.dumps(message).encode())
        assert not isinstance(said, Invalid), said.problem
        send(said)
    return 0


if __name__ == "__main__":
    signal.pthread_sigmask(signal.SIG_BLOCK, signal.valid_signals())
    from walsup.init import main

    main([sys.argv[1]], prepare, agent_silence_s=float(sys.argv[2]))

"""Which setting a message of the server speaks of."""

import pytest

from walsup.archive.engine.output import classify_output
from walsup.postgres.sql.session_interrupts import setting_behind

PRELOADS = "session_preload_libraries or local_preload_libraries"
G = "ERROR: 2026/11/23 22:11:28.329664 "


@pytest.mark.parametrize(
    ("text", "setting"),
    [
        ("FATAL: terminating connection due to idle-session timeout", "idle_session_timeout"),
        ("FATAL: beendet (SQLSTATE 57P05)", "idle_session_timeout"),
        ("due to idle-in-transaction timeout", "idle_in_transaction_session_timeout"),
        ("beendet (SQLSTATE 25P03)", "idle_in_transaction_session_timeout"),
        ("terminating connection due to transaction timeout", "transaction_timeout"),
        ("canceling statement due to statement timeout (SQLSTATE 57014)", "statement_timeout"),
        ("canceling statement due to lock timeout", "lock_timeout"),
        ("cannot execute x in a read-only transaction", "default_transaction_read_only"),
        ('could not access file "pg_gone": No such file', PRELOADS),
    ],
)
def test_the_setting_is_named_whatever_a_client_says_afterwards(text: str, setting: str) -> None:
    """A session that was ended looks like a network that is broken."""
    output = f"INFO: a b starting\n{G}{text}\n{G}write: broken pipe\n{G}unexpected EOF\n"
    assert setting_behind(output)[0] == setting
    fault = classify_output(output, ())
    assert fault.kind == "database setting"
    assert fault.problem.startswith(f"{setting} ends or blocks the engine's session: ")
    assert "2026" not in fault.problem
    assert setting in fault.cure or "library" in fault.cure


@pytest.mark.parametrize(
    "text",
    [
        "canceling statement due to user request (SQLSTATE 57014)",
        'could not open file "base/1/2": No such file or directory (SQLSTATE 58P01)',
        "terminating connection due to administrator command",
        "write: broken pipe",
    ],
)
def test_what_no_setting_did_names_none(text: str) -> None:
    """Those are other people's doing, or the network's."""
    assert setting_behind(text) == ("", "")

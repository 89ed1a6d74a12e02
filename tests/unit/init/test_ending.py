"""What the end of the container means: every reason, alone and with others."""

from signal import SIGINT, SIGKILL, SIGQUIT

import pytest
from hypothesis import given
from hypothesis import strategies as st

from walsup.init.ending import NOT_PROVEN, Ending, PostgresEnd, Reason

REFUSAL = Reason("refused", 66)
FULL = Reason("disk full", 72)
REQUESTED = Reason("stopped by the agent", 74)
EXPLANATION = Reason("a segment is missing", 73)

WELL = PostgresEnd(0, 0, clean=True)
CRASHED = PostgresEnd(1, 0, clean=False)
STOPPED = PostgresEnd(0, SIGINT, clean=True)
KILLED = PostgresEnd(137, SIGKILL, clean=False)
GIVEN_UP = PostgresEnd(None, SIGKILL, clean=False)

UNASKED = "postgres ended by itself with exit code"


def ending(**known: object) -> Ending:
    """An ending of which this is known."""
    made = Ending()
    for name, value in known.items():
        assert hasattr(made, name)
        setattr(made, name, value)
    return made


@pytest.mark.parametrize(
    ("known", "exit_code", "message"),
    [
        ({}, 0, ""),
        ({"refusal": REFUSAL}, 66, "refused"),
        ({"stop_asked": True}, 0, ""),
        ({"stop_asked": True, "awaits_verdict": True}, 0, ""),
        # postgres alone
        ({"postgres": WELL}, 0, f"{UNASKED} 0"),
        ({"postgres": CRASHED}, 1, f"{UNASKED} 1"),
        ({"postgres": PostgresEnd(139, 0, clean=False)}, 139, f"{UNASKED} 139"),
        ({"postgres": STOPPED, "stop_asked": True}, 0, ""),
        ({"postgres": KILLED, "stop_asked": True}, 137, ""),
        ({"postgres": GIVEN_UP, "stop_asked": True}, 137, ""),
        # explained before
        (
            {"postgres": CRASHED, "explanation": EXPLANATION},
            73,
            f"a segment is missing\n{UNASKED} 1",
        ),
        ({"postgres": WELL, "explanation": EXPLANATION}, 0, f"{UNASKED} 0"),
        ({"postgres": STOPPED, "explanation": EXPLANATION, "stop_asked": True}, 0, ""),
        (
            {"postgres": KILLED, "explanation": EXPLANATION, "stop_asked": True},
            137,
            "a segment is missing",
        ),
        (
            {"postgres": CRASHED, "explanation": Reason("why", 0)},
            1,
            f"why\n{UNASKED} 1",
        ),
        # requested
        (
            {"postgres": STOPPED, "requested": REQUESTED, "stop_asked": True},
            74,
            "stopped by the agent",
        ),
        (
            {
                "postgres": STOPPED,
                "requested": REQUESTED,
                "explanation": EXPLANATION,
                "stop_asked": True,
            },
            74,
            "stopped by the agent",
        ),
        (
            {"postgres": KILLED, "requested": Reason("why", 0), "stop_asked": True},
            137,
            "why",
        ),
        # disk full
        ({"postgres": CRASHED, "disk_full": FULL}, 72, f"disk full\n{UNASKED} 1"),
        (
            {
                "postgres": CRASHED,
                "disk_full": FULL,
                "requested": REQUESTED,
                "explanation": EXPLANATION,
                "stop_asked": True,
            },
            72,
            "disk full",
        ),
        # PID 1 cannot go on
        (
            {"postgres": CRASHED, "refusal": REFUSAL, "disk_full": FULL, "requested": REQUESTED},
            66,
            f"refused\n{UNASKED} 1",
        ),
        # the verdict
        ({"postgres": STOPPED, "stop_asked": True, "verdict": "all there"}, 0, "all there"),
        ({"postgres": STOPPED, "stop_asked": True, "awaits_verdict": True}, 0, NOT_PROVEN),
        ({"postgres": GIVEN_UP, "stop_asked": True, "awaits_verdict": True}, 137, NOT_PROVEN),
        (
            {"postgres": CRASHED, "awaits_verdict": True, "verdict": "all there"},
            1,
            f"{UNASKED} 1\nall there",
        ),
    ],
)
def test_ending(known: dict[str, object], exit_code: int, message: str) -> None:
    """The exit code, the termination message, and both in the state file."""
    made = ending(**known)
    assert (made.exit_code, made.message) == (exit_code, message)
    assert made.fields() == {"phase": "ended", "detail": message, "exit_code": exit_code}


@pytest.mark.parametrize(
    ("own", "sent", "clean", "code"),
    [
        (0, SIGINT, True, 0),
        (0, SIGINT, False, 0),
        (7, SIGINT, False, 7),
        (137, SIGINT, False, 137),
        (131, SIGQUIT, False, 131),
        (0, SIGQUIT, False, 131),
        (131, SIGQUIT, True, 0),
        (2, SIGQUIT, True, 0),
        (137, SIGKILL, False, 137),
        (137, SIGKILL, True, 137),
        (3, 0, False, 3),
        (0, 0, True, 0),
    ],
)
@pytest.mark.rule("stop-ladder")
def test_exit_code(own: int, sent: int, clean: bool, code: int) -> None:  # noqa: FBT001 - a row
    """QUIT counts as clean only after "shut down", KILL never; else postgres's code stands."""
    assert PostgresEnd(own, sent, clean=clean).code_after_stop() == code


REASONS = st.none() | st.builds(Reason, st.text(min_size=1), st.integers(1, 255))
ENDS = st.none() | st.builds(
    PostgresEnd,
    st.none() | st.integers(0, 255),
    st.sampled_from([0, SIGINT, SIGQUIT, SIGKILL]),
    clean=st.booleans(),
)


@given(
    refusal=REASONS,
    disk_full=REASONS,
    requested=REASONS,
    explanation=REASONS,
    postgres=ENDS,
    stop_asked=st.booleans(),
    awaits_verdict=st.booleans(),
    verdict=st.text(),
)
def test_an_exit_code_and_its_reason_belong_together(**known: object) -> None:
    """An exit code that a reason gives is explained by that reason in the message."""
    made = ending(**known)
    assert made.exit_code in range(256)
    reason = made.refusal or made.disk_full or made.requested
    if reason:
        assert made.exit_code == reason.exit_code
        assert made.message.startswith(reason.text)
    elif made.explanation and made.exit_code and not made.stop_asked:
        assert made.exit_code == made.explanation.exit_code
        assert made.message.startswith(made.explanation.text)
    if made.awaits_verdict and made.postgres and not made.verdict:
        assert made.message.endswith(NOT_PROVEN)

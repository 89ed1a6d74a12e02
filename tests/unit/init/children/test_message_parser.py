"""What prepare and the agent may write into their pipes, and what PID 1 makes of it."""

import json
import os
import signal
from collections.abc import Callable, Iterator

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from walsup.init.children.message_parser import Invalid, from_agent, from_prepare
from walsup.init.children.pipe import MessagePipe
from walsup.pid1_messages import (
    Beat,
    ExplainExit,
    ExtendLease,
    FromAgent,
    FromPrepare,
    Launch,
    Progress,
    Refusal,
    Reload,
    RequestStop,
    SetDaemon,
    StartAgent,
    StartPostgres,
    Verdict,
    encode,
)

Parse = Callable[[bytes], object]

LAUNCH = Launch(["/bin/sh", "-c", "é\n"], {"PATH": "/bin", "X": ""}, "/tmp")
FROM_PREPARE: list[FromPrepare] = [
    StartAgent(LAUNCH, 2, 0.1),
    StartAgent(LAUNCH, awaits_verdict=True),
    StartPostgres(LAUNCH, "0a", awaits_verdict=True),
    StartPostgres(LAUNCH),
    SetDaemon("reader", LAUNCH, 1),
    Progress("restore: 3 %"),
    Progress("", ("denied", "the bucket says 403", "grant access")),
    Refusal("PG_VERSION says 9\nHINT: upgrade", 66),
]
FROM_AGENT: list[FromAgent] = [
    Beat(),
    SetDaemon("engine", LAUNCH, 3, 123.5),
    SetDaemon("engine", None, 0),
    ExtendLease(99.25),
    ExtendLease(float("inf")),
    Reload(),
    ExplainExit("a segment is missing", 74),
    ExplainExit("", 0),
    RequestStop("restored elsewhere", 74),
    Verdict("all there: yes"),
]

# Values that a field of a message may have: of the wrong type, out of range, or right.
ODD = st.one_of(
    st.none(),
    st.booleans(),
    st.integers(),
    st.sampled_from([10**400, -1, 256, 0, 1, 74]),
    st.floats(),
    st.text(),
    st.sampled_from(["agent", "postgres", "engine", "reader", "\ud800", "a\nphase=ended"]),
    st.lists(st.text(), max_size=4),
    st.lists(st.integers(), max_size=3),
    st.dictionaries(st.text(), st.text() | st.integers(), max_size=3),
)
FIELDS = st.sampled_from(
    [
        *("launch", "argv", "environment", "cwd", "verdict", "boot", "after_s", "generation"),
        *("daemon", "lease", "refused", "code", "detail", "fault", "reload", "doom", "end"),
        "beat",
    ]
)


@pytest.fixture(scope="module", autouse=True)
def _no_sigio() -> Iterator[None]:
    """Ignore what wakes a PID 1 and ends any other process."""
    before = signal.signal(signal.SIGIO, signal.SIG_IGN)
    yield
    signal.signal(signal.SIGIO, before)


@pytest.mark.parametrize("message", FROM_PREPARE)
def test_what_prepare_says_arrives_as_it_was_said(message: FromPrepare) -> None:
    """Each message with each of its fields."""
    parsed = from_prepare(encode(message))
    assert not isinstance(parsed, Invalid)
    assert (type(parsed), encode(parsed)) == (type(message), encode(message))


@pytest.mark.parametrize("message", FROM_AGENT)
def test_what_the_agent_says_arrives_as_it_was_said(message: FromAgent) -> None:
    """Each message with each of its fields."""
    parsed = from_agent(encode(message))
    assert not isinstance(parsed, Invalid)
    assert (type(parsed), encode(parsed)) == (type(message), encode(message))


def is_sound(message: object) -> bool:
    """Whether PID 1 can act on it: numbers in range, argv and environment of texts."""
    match message:
        case SetDaemon() | StartAgent() | StartPostgres():
            launch = message.launch
            if isinstance(message, SetDaemon):
                assert message.name in ("engine", "reader")
                assert message.until_s >= 0
                assert (launch is None) == (message.generation == 0)
            return launch is None or (
                bool(launch.argv)
                and all(isinstance(word, str) for word in (*launch.argv, launch.cwd))
                and all(isinstance(value, str) for value in launch.environment.values())
            )
        case Refusal() | ExplainExit() | RequestStop():
            return isinstance(message.text, str) and message.exit_code in range(256)
        case Progress():
            return isinstance(message.detail, str) and len(message.fault) in (0, 3)
        case ExtendLease():
            return message.until_s >= 0
    return True


@pytest.mark.parametrize("parse", [from_prepare, from_agent])
@given(line=st.binary())
@example(line=b"[" * 100_000)
@example(line=b"9" * 5000)
@example(line=b'{"generation": ' + b"9" * 5000 + b"}")
@example(line=b"\xff\xfe{\x00}\x00")
@example(line=b'{"lease": NaN}')
def test_no_bytes_raise(parse: Parse, line: bytes) -> None:
    """Not JSON, JSON without end, numbers without end, other encodings."""
    assert is_sound(parse(line))


@pytest.mark.parametrize("parse", [from_prepare, from_agent])
@given(fields=st.dictionaries(FIELDS, ODD))
@example(fields={"lease": float("nan")})
@example(fields={"daemon": "engine", "generation": 10**400})
@example(fields={"daemon": "a\nphase=ended", "generation": 0})
@example(fields={"daemon": "engine", "generation": True, "argv": ["x"], "environment": {}})
@example(fields={"end": "x", "code": 256})
@example(fields={"end": "x", "code": -1})
@example(fields={"refused": "x", "code": "71"})
@example(fields={"launch": "agent", "argv": ["x"], "environment": {"a": 1}})
@example(fields={"launch": "agent", "argv": ["x"], "environment": {}, "after_s": 1e300})
@example(fields={"detail": "x", "fault": ["a", "b"]})
def test_no_field_raises_or_gets_through_unsound(parse: Parse, fields: dict[str, object]) -> None:
    """Known fields with values of all types."""
    assert is_sound(parse(json.dumps(fields).encode()))


@pytest.mark.parametrize("said", [{"end": "x", "code": 300}, {"launch": "other"}, {"new": "kind"}])
def test_problem_names_no_value(said: dict[str, object]) -> None:
    """A value may be secret: the problem names the field."""
    for parse in (from_prepare, from_agent):
        parsed = parse(json.dumps(said | {"password": "hunter2"}).encode())
        assert isinstance(parsed, Invalid)
        assert "hunter2" not in parsed.problem


def test_prepare_may_not_speak_for_the_agent() -> None:
    """Each side has its own messages."""
    assert isinstance(from_prepare(encode(Reload())), Invalid)
    assert isinstance(from_agent(encode(StartPostgres(LAUNCH))), Invalid)


def test_pipe_passes_what_is_valid(capfd: pytest.CaptureFixture[str]) -> None:
    """Invalid lines before and after it are one line of the log; half a line waits."""
    pipe = MessagePipe()
    os.write(pipe.writer, b"no json\n[1]\n\n" + encode(Verdict("yes")) + b'{"x": 1}\n{"verd')
    (verdict,) = pipe.messages(from_agent)
    assert isinstance(verdict, Verdict)
    assert verdict.text == "yes"
    assert capfd.readouterr().err.count("message.unreadable") == 1
    os.write(pipe.writer, b'ict": "no"}\n')
    (verdict,) = pipe.messages(from_agent)
    assert isinstance(verdict, Verdict)
    assert verdict.text == "no"
    pipe.close()


@given(written=st.lists(st.binary(max_size=50) | st.sampled_from([b"\n", encode(Beat())])))
def test_pipe_never_raises(written: list[bytes]) -> None:
    """Whatever is written, in whatever pieces; a whole message after it still arrives."""
    pipe = MessagePipe()
    for piece in written:
        os.write(pipe.writer, piece)
        pipe.messages(from_agent)
    os.write(pipe.writer, b"\n" + encode(Verdict("yes")))
    assert isinstance(pipe.messages(from_agent)[-1], Verdict)
    pipe.close()

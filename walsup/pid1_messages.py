"""What prepare and the agent say to PID 1: one JSON object a line, of one of these types.

They are plain classes, because PID 1 loads neither typing nor dataclasses.
"""

import json
from collections.abc import Callable, Mapping, Sequence

_Fields = dict[str, object]

DAEMONS = ("engine", "reader")


class Launch:
    """A program to run: argv (argv[0] is the path), its whole environment, its directory."""

    __slots__ = ("argv", "cwd", "environment")

    def __init__(self, argv: Sequence[str], environment: Mapping[str, str], cwd: str = "/") -> None:
        self.argv = list(argv)
        self.environment = dict(environment)
        self.cwd = cwd

    def fields(self) -> _Fields:
        """Return what the line says."""
        return {"argv": self.argv, "environment": self.environment, "cwd": self.cwd}


class StartAgent:
    """Start the agent after some seconds; one of another generation is ended first."""

    __slots__ = ("after_s", "awaits_verdict", "generation", "launch")

    def __init__(
        self,
        launch: Launch,
        generation: int = 1,
        after_s: float = 0.0,
        *,
        awaits_verdict: bool = False,
    ) -> None:
        self.launch = launch
        self.generation = generation
        self.after_s = after_s
        self.awaits_verdict = awaits_verdict

    def fields(self) -> _Fields:
        """Return what the line says."""
        more = {"generation": self.generation, "after_s": self.after_s}
        return {"launch": "agent", **self.launch.fields(), **more, "verdict": self.awaits_verdict}


class StartPostgres:
    """Start postgres. `boot`: the name of this start, empty without an archive.

    `awaits_verdict`: whether the agent says at the end what is in the archive.
    """

    __slots__ = ("awaits_verdict", "boot", "launch")

    def __init__(self, launch: Launch, boot: str = "", *, awaits_verdict: bool = False) -> None:
        self.launch = launch
        self.boot = boot
        self.awaits_verdict = awaits_verdict

    def fields(self) -> _Fields:
        """Return what the line says."""
        more = {"boot": self.boot, "verdict": self.awaits_verdict}
        return {"launch": "postgres", **self.launch.fields(), **more}


class SetDaemon:
    """Run this daemon, one of `DAEMONS`, until its lease ends (CLOCK_BOOTTIME); None: end it."""

    __slots__ = ("generation", "launch", "name", "until_s")

    def __init__(
        self, name: str, launch: Launch | None, generation: int, until_s: float = float("inf")
    ) -> None:
        self.name = name
        self.launch = launch
        self.generation = generation
        self.until_s = until_s

    def fields(self) -> _Fields:
        """Return what the line says."""
        launch = self.launch.fields() if self.launch else {}
        lease = {"lease": self.until_s}
        return {"daemon": self.name, "generation": self.generation, **launch, **lease}


class Progress:
    """What prepare does now. `fault`: class, problem and remedy of what it waits for."""

    __slots__ = ("detail", "fault")

    def __init__(self, detail: str, fault: Sequence[str] = ()) -> None:
        self.detail = detail
        self.fault = tuple(fault)

    def fields(self) -> _Fields:
        """Return what the line says."""
        fault = {"fault": self.fault} if self.fault else {}
        return {"detail": self.detail, **fault}


class Refusal:
    """Why prepare does not start postgres, and the exit code of the container."""

    __slots__ = ("exit_code", "text")

    def __init__(self, text: str, exit_code: int) -> None:
        self.text = text
        self.exit_code = exit_code

    def fields(self) -> _Fields:
        """Return what the line says."""
        return {"refused": self.text, "code": self.exit_code}


class Beat:
    """The agent's loop runs."""

    __slots__ = ()

    def fields(self) -> _Fields:
        """Return what the line says."""
        return {"beat": 1}


class ExtendLease:
    """The daemons may run until then, by CLOCK_BOOTTIME."""

    __slots__ = ("until_s",)

    def __init__(self, until_s: float) -> None:
        self.until_s = until_s

    def fields(self) -> _Fields:
        """Return what the line says."""
        return {"lease": self.until_s}


class Reload:
    """Reload postgres, which also wakes its archiver."""

    __slots__ = ()

    def fields(self) -> _Fields:
        """Return what the line says."""
        return {"reload": 1}


class ExplainExit:
    """What it means when postgres ends by itself from now on; an empty text takes it back."""

    __slots__ = ("exit_code", "text")

    def __init__(self, text: str, exit_code: int) -> None:
        self.text = text
        self.exit_code = exit_code

    def fields(self) -> _Fields:
        """Return what the line says."""
        return {"doom": self.text, "code": self.exit_code}


class RequestStop:
    """Stop postgres and end the container with this reason and exit code."""

    __slots__ = ("exit_code", "text")

    def __init__(self, text: str, exit_code: int) -> None:
        self.text = text
        self.exit_code = exit_code

    def fields(self) -> _Fields:
        """Return what the line says."""
        return {"end": self.text, "code": self.exit_code}


class Verdict:
    """What the agent has proven of the archive after the end of postgres."""

    __slots__ = ("text",)

    def __init__(self, text: str) -> None:
        self.text = text

    def fields(self) -> _Fields:
        """Return what the line says."""
        return {"verdict": self.text}


FromPrepare = StartAgent | StartPostgres | SetDaemon | Progress | Refusal
FromAgent = Beat | SetDaemon | ExtendLease | Reload | ExplainExit | RequestStop | Verdict
Send = Callable[[FromPrepare], None]


def encode(message: FromPrepare | FromAgent) -> bytes:
    """Return the line of a message."""
    return json.dumps(message.fields()).encode() + b"\n"

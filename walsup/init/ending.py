"""How the container ends: from what is known, its exit code and its termination message. Pure."""

import signal

NOT_PROVEN = "everything before the shutdown checkpoint is in the bucket: not proven"


class Reason:
    """Why the container ends, and the exit code that says so; 0: postgres's own code does."""

    __slots__ = ("exit_code", "text")

    def __init__(self, text: str, exit_code: int) -> None:
        self.text = text
        self.exit_code = exit_code


class PostgresEnd:
    """How postgres has ended.

    `exit_code`: None when it hangs in the kernel and is given up. `last_signal`: the strongest that
    it was sent, 0 for none. `clean`: whether pg_control said "shut down" before a stronger one.
    """

    __slots__ = ("clean", "exit_code", "last_signal")

    def __init__(self, exit_code: "int | None", last_signal: int, *, clean: bool) -> None:
        self.exit_code = exit_code
        self.last_signal = last_signal
        self.clean = clean

    def code_after_stop(self) -> int:
        """Return what the exit code means after a stop that was asked for."""
        last = self.last_signal
        if last == signal.SIGKILL or (last == signal.SIGQUIT and not self.clean):
            return 128 + last
        return 0 if last == signal.SIGQUIT else self.exit_code or 0


class Ending:
    """What is known so far about the end of the container.

    `refusal`: why postgres was never started, or PID 1 cannot go on. `disk_full`: what postgres
    ended of. `requested`: why the agent, or the deadline of its lease, has stopped postgres.
    `explanation`: what it means when postgres ends by itself; it was said before. The first of
    them counts. Without any, the end of postgres does.
    """

    __slots__ = (
        "awaits_verdict",
        "disk_full",
        "explanation",
        "postgres",
        "refusal",
        "requested",
        "stop_asked",
        "verdict",
    )

    def __init__(self) -> None:
        self.refusal: Reason | None = None
        self.disk_full: Reason | None = None
        self.requested: Reason | None = None
        self.explanation: Reason | None = None
        self.stop_asked = False
        self.postgres: PostgresEnd | None = None
        self.awaits_verdict = False
        self.verdict = ""

    @property
    def exit_code(self) -> int:
        """The exit code of the container."""
        reason = self.refusal or self.disk_full or self.requested
        if reason and reason.exit_code:
            return reason.exit_code
        if self.postgres is None:
            return 0
        if self.stop_asked:
            return self.postgres.code_after_stop()
        own_code = self.postgres.exit_code or 0
        if own_code and self.explanation and self.explanation.exit_code:
            return self.explanation.exit_code
        return own_code

    @property
    def message(self) -> str:
        """The termination message: the reason, an end without a stop, the verdict."""
        lines = []
        reason = self.refusal or self.disk_full or self.requested
        if not reason and not (self.postgres and self.postgres.exit_code == 0):
            reason = self.explanation
        if reason:
            lines.append(reason.text)
        if self.postgres and not self.stop_asked:
            lines.append(f"postgres ended by itself with exit code {self.postgres.exit_code}")
        if self.verdict_at_end:
            lines.append(self.verdict_at_end)
        return "\n".join(lines)

    @property
    def verdict_at_end(self) -> str:
        """What is proven of the archive; empty when there is none, or postgres never ran."""
        if self.verdict or not self.awaits_verdict or self.postgres is None:
            return self.verdict
        return NOT_PROVEN

    def fields(self) -> "dict[str, object]":
        """Return what the last state file says of it."""
        return {"phase": "ended", "detail": self.message, "exit_code": self.exit_code}

"""How the container ends: its exit code and its termination message from the known facts. Pure."""

import signal

NOT_PROVEN = "everything before the shutdown checkpoint is in the bucket: not proven"


class Reason:
    """Why the container ends, and its exit code. 0: postgres's exit code is used."""

    __slots__ = ("exit_code", "text")

    def __init__(self, text: str, exit_code: int) -> None:
        self.text = text
        self.exit_code = exit_code


class PostgresEnd:
    """How postgres ended.

    `exit_code`: None when it hangs in the kernel and is given up. `last_signal`: the strongest
    signal that it was sent, 0 for none. `clean`: whether pg_control said "shut down" before a
    stronger one.
    """

    __slots__ = ("clean", "exit_code", "last_signal")

    def __init__(self, exit_code: "int | None", last_signal: int, *, clean: bool) -> None:
        self.exit_code = exit_code
        self.last_signal = last_signal
        self.clean = clean

    def code_after_stop(self) -> int:
        """Return what the exit code means after a requested stop."""
        last = self.last_signal
        if last == signal.SIGKILL or (last == signal.SIGQUIT and not self.clean):
            return 128 + last
        return 0 if last == signal.SIGQUIT else self.exit_code or 0


class Ending:
    """What is known so far about the end of the container.

    `refusal`: why postgres was never started, or PID 1 cannot continue. `disk_full`: the full disk
    that ended postgres. `requested`: why the agent, or the deadline of its lease, has stopped
    postgres. `explanation`: what an end of postgres by itself means, as the agent reported it
    before. The first of them counts. Without any, the end of postgres counts.
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
        """Return the exit code of the container."""
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
        """Return the termination message: the reason, an end without a stop, the verdict."""
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
        """Return what is verified in the archive; empty without an archive or a run of postgres."""
        if self.verdict or not self.awaits_verdict or self.postgres is None:
            return self.verdict
        return NOT_PROVEN

    def fields(self) -> "dict[str, object]":
        """Return the lines of the last state file."""
        return {"phase": "ended", "detail": self.message, "exit_code": self.exit_code}

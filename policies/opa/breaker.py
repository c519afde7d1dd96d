"""When to stop asking a server that does not answer: a circuit breaker without a clock of its own.

After a few failures in a row it rests, and every question in the meantime is refused at once instead of
waiting for the deadline. Then one question is let through as a trial; its success ends the rest, its failure
doubles it up to a limit. Only failures of the connection count: a question that the policies cannot evaluate
must not shut the door for all the others.
"""

from dataclasses import dataclass

THRESHOLD = 5
FIRST_REST_SECONDS = 0.5
LONGEST_REST_SECONDS = 15.0


@dataclass(slots=True)
class Breaker:
    """Counts failures; all moments are seconds of one monotonic clock."""

    failures: int = 0
    rest_seconds: float = FIRST_REST_SECONDS
    resting_until: float = 0.0

    def admit(self, now: float) -> bool:
        """Tell whether a question may go out now; after a rest only one may, until it is answered."""
        if self.failures < THRESHOLD:
            return True
        if now < self.resting_until:
            return False
        self.resting_until = now + self.rest_seconds  # a trial that never comes back costs one more rest
        return True

    def succeed(self) -> None:
        """Note an answer: the server is there."""
        self.failures = 0
        self.rest_seconds = FIRST_REST_SECONDS

    def fail(self, now: float) -> None:
        """Note a failure of the connection."""
        self.failures += 1
        if self.failures > THRESHOLD:
            self.rest_seconds = min(self.rest_seconds * 2, LONGEST_REST_SECONDS)
        if self.failures >= THRESHOLD:
            self.resting_until = now + self.rest_seconds

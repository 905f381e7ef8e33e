"""The exception tree, drawn once, by who must act.

Every message is one sentence that says what happened and why, and a second that says how to fix it.
"""


class SlipwayError(Exception):
    """Something failed; the message says what and how to fix it."""

    exit_code = 1

    def __init__(self, what: str, fix: str) -> None:
        super().__init__(f"{what.rstrip('.')}. {fix}")
        self.what = what
        self.fix = fix


class UsageError(SlipwayError):
    """The person asked for something that does not exist or makes no sense."""

    exit_code = 2


class Refused(SlipwayError):
    """A gate, a limit, a signature or a missing approval says no."""

    exit_code = 3


class Unavailable(SlipwayError):
    """A service does not answer; the operator must act."""


class Corrupt(SlipwayError):
    """Stored data does not match its checksum or its schema."""

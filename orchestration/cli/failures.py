"""What libraries raise where a person must act, as the sentence that person needs."""

import errno
import os
import sys
from typing import Any

from data.errors import SlipwayError, Unavailable, UsageError

DISK_FULL = (errno.ENOSPC, errno.EDQUOT)
NOT_OURS = (errno.EACCES, errno.EPERM, errno.EROFS)


def understood(error: BaseException) -> SlipwayError | None:
    """The error as ours; None when nobody but a developer can do something about it."""
    match error:
        case SlipwayError():
            return error
        case BaseExceptionGroup():
            return understood(innermost(error))
        case OSError(errno=number, strerror=reason, filename=path) if number in DISK_FULL:
            return SlipwayError(
                f"{path or 'a file'} could not be written: {reason}", "Make room and run the same command."
            )
        case OSError(errno=number, strerror=reason, filename=path) if number in NOT_OURS:
            return SlipwayError(
                f"{path or 'a file'} cannot be used: {reason}",
                "Run this as the user who owns it, or choose a folder of yours with SLIPWAY_STATE_DIR.",
            )
    # Whoever raised it has imported its library; this asks without loading one.
    if _is(error, "pydantic", "ValidationError"):
        return _setting(error)
    if _is(error, "psycopg", "OperationalError"):
        reason = str(error).strip().partition("\n")[0]
        return Unavailable(f"Postgres failed: {reason}", "See `./slipway status`, then run the same command.")
    if _is(error, "redis", "RedisError"):
        return Unavailable(f"Redis failed: {error}", "See `./slipway status`, then run the same command.")
    return None


def innermost(error: BaseException) -> BaseException:
    """The first error of a task group that is not a group itself."""
    return innermost(error.exceptions[0]) if isinstance(error, BaseExceptionGroup) else error


def _is(error: BaseException, library: str, name: str) -> bool:
    loaded = sys.modules.get(library)
    return loaded is not None and isinstance(error, getattr(loaded, name))


def _setting(error: Any) -> SlipwayError | None:
    """A room's settings model did not take what the environment says.  The value may be a secret: not shown."""
    if not error.title.endswith("Settings"):
        return None
    first = error.errors()[0]
    field = "_".join(str(part) for part in first["loc"]).upper()
    blamed = [name for name in os.environ if name.startswith("SLIPWAY_") and name.endswith(field)]
    return UsageError(
        f"{' or '.join(blamed) or field} is set to something that {error.title} does not take: {first['msg']}",
        "Correct that environment variable, or unset it.",
    )

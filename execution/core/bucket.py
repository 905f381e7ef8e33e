"""How many requests a broker may get: a bucket that fills at a steady rate and never above its size."""

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Rate:
    """No window of w seconds ever sees more than `size + per_second * w` requests."""

    per_second: float  # zero: nobody counts
    size: float
    kept: float  # left to cancels, questions and orders that reduce, when others want more


@dataclass(frozen=True, slots=True)
class Bucket:
    """What was left, and when that was."""

    tokens: float
    at_s: float


def take(bucket: Bucket, now_s: float, rate: Rate, kept: float) -> tuple[Bucket, float]:
    """(the bucket afterwards, 0 or the seconds until there is one to take).  A clock set back refills nothing."""
    filled = min(rate.size, bucket.tokens + rate.per_second * max(0.0, now_s - bucket.at_s))
    if filled < kept + 1.0:
        return Bucket(filled, now_s), (kept + 1.0 - filled) / rate.per_second
    return Bucket(filled - 1.0, now_s), 0.0

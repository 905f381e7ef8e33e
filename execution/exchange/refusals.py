"""The three ways to say no to an order, as wire.py tells them apart."""

from execution.exchange.orders import Reason, Reject


def invalid(message: str) -> Reject:
    """The request makes no sense."""
    return Reject(Reason.INVALID, message)


def not_allowed(message: str, **details: str) -> Reject:
    """The market or the asset does not take it."""
    return Reject(Reason.NOT_ALLOWED, message, details)


def forbidden(message: str, **details: str) -> Reject:
    """This account may not."""
    return Reject(Reason.FORBIDDEN, message, details)

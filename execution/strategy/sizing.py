"""From a target to a quantity, and from a fill to cash and shares.

Research and execution both call these, so the order of the float operations is part of the contract.
They are plain Python that numba compiles as it stands (compiled.py), so both give the same bits.
"""

import math


def round_to_lot(quantity: float, lot: float) -> float:
    """The nearest whole number of lots toward zero: never more risk than was asked for."""
    if lot == 1.0:  # the same bits, without a division on the way from one fill to the next
        return float(math.trunc(quantity))
    return float(math.trunc(quantity / lot)) * lot


def order_quantity(target: float, equity: float, close: float, shares: float, lot: float) -> float:
    """The signed quantity that takes `shares` to `target` (a multiple of equity) at this close.

    A book whose equity is gone can only close.
    """
    if equity <= 0.0:
        return -shares
    return round_to_lot(target * equity / close, lot) - shares


def apply_fill(
    cash: float, shares: float, qty: float, price: float, commission: float
) -> tuple[float, float]:
    """(cash, shares) after a fill of signed `qty`; cash may go below zero, accounts are margin accounts."""
    return cash - qty * price - commission, shares + qty


def book_equity(cash: float, shares: float, close: float) -> float:
    """What the book is worth at this close."""
    return cash + shares * close

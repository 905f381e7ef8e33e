"""Decisions about orders, pure: no clock, no I/O, no randomness; everything comes in through the arguments.

May import data and execution.strategy.
Start reading at book.py (a decision), then lifecycle.py (an order's states).
"""

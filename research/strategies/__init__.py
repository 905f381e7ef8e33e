"""The library: one strategy a page, each with what it bets on.
May import execution.strategy only, as an artifact carries one such file alone.
Start reading at crossover.py.
"""

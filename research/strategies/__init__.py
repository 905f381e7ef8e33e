"""The library: one strategy a page, each with what it bets on, when it pays and when it bleeds.
May import execution.strategy only, as an artifact carries one such file alone.
Start reading at crossover.py; momentum.py is a portfolio, mean_reversion.py looks at its position.
"""

"""The exchange simulator: Alpaca's trading API and market data on 127.0.0.1, matched against a tape.

May import data, and of execution only the cost model: a broker does not know its clients.
Start reading at matching.py (how an order meets the market), then lifecycle.py (what becomes of it), then wire.py
(how it looks from outside); marketdata/ serves the tape, faults/ makes things go wrong.
"""

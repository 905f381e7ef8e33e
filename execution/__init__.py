"""The strategy contract, the engine, order flow, and the exchange simulator.
May import data.
Start reading at strategy/contract.py (what a quant writes), then core/ (what decides) and service.py (what runs).
"""

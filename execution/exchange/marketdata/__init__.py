"""Alpaca's market data of an account's tape: history over HTTP, and the stream as it is posted.

Start reading at market.py (what is posted), then timeframes.py (bars put together), routes.py and stream.py.
"""

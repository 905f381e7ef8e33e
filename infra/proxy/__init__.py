"""A wire that misbehaves: TCP proxies of our own, to put before Redis, PostgreSQL and the exchange in tests.

Start reading at wire.py (one proxy and its faults), then control.py (told what to do over a unix socket).
"""

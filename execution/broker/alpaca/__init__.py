"""Alpaca's trading API, spoken by our own client: short timeouts, no hidden retry, nothing trusted unread.

alpaca-py is not used to send: it repeats a POST by itself on 429 and 504, and has no timeout.
May import execution.core, execution.broker (its contract) and data.
Start reading at adapter.py, then http.py (asking), sending.py and reading.py (words out and in), executions.py (what
names a fill), books.py and stream.py.
"""

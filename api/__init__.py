"""The trade monitor: FastAPI over the Postgres ledger, a WebSocket of what changes, and the page in api/web.
May import data only.
Start reading at app.py, then routing.py (who may call what) and stream.py (snapshot, then numbered changes).
"""

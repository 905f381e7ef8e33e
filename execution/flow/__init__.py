"""Order flow: from a decision to a durable intent, a sent order, a known answer and an entered fill.

Knows no Postgres, no Redis and no HTTP: ports.py says what it asks of the world, so the very code that trades is
what simulation/ tortures.
May import execution.core, execution.broker (its contract) and data.
Start reading at ports.py, then desk.py (start, restart and takeover), gateway.py (out), ledger.py (in),
guard.py (what is watched), carrier.py (what people say).
"""

"""What the service shows of itself while it trades: logs, metrics, traces, heartbeats and alerts.

Nothing here can stop an order: what watches is told after the fact, and whatever it does wrong is logged.
May import execution.flow, execution.store and data.
Start reading at desk_watch.py (what is wired to what), then alerts.py.
"""

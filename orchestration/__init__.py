"""Dagster definitions, the `slipway` command line, and the demo.
May import every other room.
Start reading at definitions.py (what is scheduled) or cli/ (what a person types).
"""

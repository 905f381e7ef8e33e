"""Owns where Slipway runs: embedded services on one machine, images, terraform.
May import data, and nothing else of ours.
Start reading in infra/local/services.py (what runs) and infra/local/supervisor.py (who watches it).
"""

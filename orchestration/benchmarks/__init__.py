"""Measurements against named peers, alternating in one run: what `slipway bench` prints."""

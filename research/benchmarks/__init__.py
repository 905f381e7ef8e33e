"""Ours against named peers, in one run: only ratios mean something on a noisy machine."""

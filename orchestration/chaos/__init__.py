"""Real processes under real faults: sessions are traded while everything is killed, frozen, cut off and emptied.

Start reading at deck.py (which faults), then turmoil.py (one session under them) and verdict.py (what must hold).
"""

"""Pictures in metadata: Dagster's pages draw markdown in place up to 999 characters, and longer at a click."""

import base64
from collections.abc import Sequence
from itertools import pairwise
from typing import Final

from dagster import MetadataValue

DRAWN_IN_PLACE_BELOW: Final = 1000  # characters of markdown; webserver 1.13, MarkdownMetadataEntry
POINTS_MAX: Final = 64
WIDTH: Final = POINTS_MAX * 6
HEIGHT: Final = 90
BLUE: Final = "#2563eb"


def picture(svg: str, title: str) -> MetadataValue:
    """An SVG as markdown that needs no other file."""
    encoded = base64.b64encode(svg.encode()).decode()
    return MetadataValue.md(f"![{title}](data:image/svg+xml;base64,{encoded})")


def sparkline(values: Sequence[float]) -> str:
    """A line through at most 64 of `values`, with a level line at the first: small enough to be drawn in place."""
    count = min(POINTS_MAX, len(values))
    kept = [values[round(place * (len(values) - 1) / max(1, count - 1))] for place in range(count)]
    low, high = min(kept), max(kept)
    heights = [round(HEIGHT - 2 - (value - low) / ((high - low) or 1.0) * (HEIGHT - 4)) for value in kept]
    step = WIDTH // max(1, count - 1)
    line = "".join(f"l{step} {after - before}" for before, after in pairwise(heights)).replace(" -", "-")
    start = f"M0 {heights[0]}"
    return (
        f"<svg xmlns='http://www.w3.org/2000/svg' width='{WIDTH}' height='{HEIGHT}' fill='none'>"
        f"<path d='{start}H{WIDTH}' stroke='#ccc'/>"
        f"<path d='{start}{line}' stroke='{BLUE}' stroke-width='2'/></svg>"
    )

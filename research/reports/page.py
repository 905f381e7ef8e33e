"""A finished report: one HTML page that needs nothing else, and the same as a picture."""

import html
from collections.abc import Callable
from dataclasses import dataclass, field
from functools import cache
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

from data.errors import UsageError
from research.reports.canvas import NAMED_COLOURS, NARROW, WIDE, Panel

if TYPE_CHECKING:
    from jinja2 import Environment

ENDINGS: Final = (".html", ".png")


@dataclass(frozen=True, slots=True)
class Report:
    """A finished page; notebooks show it."""

    html: str
    draw: Callable[[], bytes] = field(repr=False, compare=False)
    """makes the PNG when it is asked for"""

    def png(self) -> bytes:
        """The report as a picture."""
        return self.draw()

    def save(self, path: str | Path) -> Path:
        """Write it as .html or .png, as the name says, and say where."""
        target = Path(path)
        refuse_other_file(target)
        content = self.png() if target.suffix == ".png" else self.html.encode()
        try:
            target.write_bytes(content)
        except OSError as error:
            raise UsageError(
                f"the report cannot be written to {target}: {error.strerror}", "Choose a folder that exists."
            ) from None
        return target.resolve()

    def _repr_html_(self) -> str:
        page = html.escape(self.html, quote=True)
        return f'<iframe srcdoc="{page}" style="width:100%;height:900px;border:0" title="report"></iframe>'


def refuse_other_file(target: Path) -> None:
    """Say, before anything is computed, that a report cannot be written there."""
    if target.suffix not in ENDINGS:
        raise UsageError(
            f"a report cannot be written as {target.name!r}", "Name a file that ends in .html or .png."
        )
    if not target.absolute().parent.is_dir():
        raise UsageError(
            f"there is no folder {target.parent} for {target.name}", "Choose a folder that exists."
        )


@dataclass(frozen=True, slots=True)
class Figure:
    """A panel as a card of a page."""

    title: str
    note: str
    svg: str
    """legible at the width of a phone; empty where there is no picture"""
    wide_svg: str
    """for a card that takes the page's whole width"""
    instead: str
    """the sentence in place of a picture"""


def figure(panel: Panel, *, wide: bool = False) -> Figure:
    """The panel drawn for a page; a wide one twice, for a screen shows text at the size its picture has."""
    if panel.draw is None:
        return Figure(panel.title, panel.note, "", "", panel.says)
    drawn_wide = _themed(panel.chart(WIDE).svg) if wide else ""
    return Figure(panel.title, panel.note, _themed(panel.chart(NARROW).svg), drawn_wide, "")


def render(template: str, **facts: Any) -> str:
    """A template of this package filled in."""
    return _templates().get_template(template).render(**facts)


def _themed(svg: str) -> str:
    for name, colour in NAMED_COLOURS.items():
        svg = svg.replace(colour, f"var(--{name})")
    return svg


@cache
def _templates() -> "Environment":
    from jinja2 import Environment, PackageLoader, StrictUndefined

    return Environment(
        loader=PackageLoader("research.reports", "templates"),
        autoescape=True,
        trim_blocks=True,
        lstrip_blocks=True,
        undefined=StrictUndefined,
    )

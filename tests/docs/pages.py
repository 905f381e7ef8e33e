"""The documentation as tests read it: its pages, their blocks of code, the commands and links they name."""

import re
import shlex
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from data.settings import ROOT

PAGES = sorted(
    [ROOT / "README.md", ROOT / "CONTRIBUTING.md", ROOT / "CHANGELOG.md", *ROOT.glob("docs/**/*.md"),
     ROOT / "requirements" / "README.md"]
)  # fmt: skip

_FENCE = re.compile(r"^```(\w+)\n(.*?)^```$", re.MULTILINE | re.DOTALL)
_COMMAND = re.compile(r"\./slipway((?: +[^\s`|·()]+)*)")
_LINK = re.compile(r"\]\(([^)#\s]+)?(?:#([^)\s]+))?\)")


@dataclass(frozen=True)
class Console:
    """One command that a page shows with `$`, and the lines it shows below."""

    line: str
    said: tuple[str, ...]


def blocks(page: Path, language: str) -> list[str]:
    return [text for kind, text in _FENCE.findall(page.read_text()) if kind == language]


def consoles(page: Path) -> list[Console]:
    found: list[tuple[str, list[str]]] = []
    for line in "".join(blocks(page, "console")).splitlines():
        if line.startswith("$ "):
            found.append((line[2:], []))
        else:
            found[-1][1].append(line)
    return [Console(line, tuple(said)) for line, said in found]


def commands(text: str) -> Iterator[list[str]]:
    """The words behind each `./slipway`, up to what is plainly no longer the command."""
    for line in text.splitlines():
        for typed in _COMMAND.findall(re.sub(r"  +\S.*$", "", line[4:]) if line.startswith("    ") else line):
            try:
                yield shlex.split(typed)
            except ValueError:  # a quotation mark of the sentence around it
                yield typed.replace('"', "").split()


def links(page: Path) -> list[tuple[str, str]]:
    """(file, anchor) of each link that stays inside the repository."""
    return [
        (file, anchor)
        for file, anchor in _LINK.findall(re.sub(_FENCE, "", page.read_text()))
        if not file.startswith(("http://", "https://"))
    ]


def anchors(page: Path) -> set[str]:
    """How a heading is addressed on the usual viewers."""
    titles = re.findall(r"^#+ (.+)$", page.read_text(), re.MULTILINE)
    return {re.sub(r"[^\w\- ]", "", title.lower()).replace(" ", "-") for title in titles}

"""numba's several pages about code that it cannot compile, in a sentence."""

import dis
import re
from collections.abc import Callable, Sequence
from pathlib import PurePath
from typing import Any


def explained(error: Exception, written: Callable[..., Any], feature_names: Sequence[str]) -> str:
    """ "line 12: " and the cause in words; of a function that it calls, the line in there."""
    text = str(error)
    # Failures are told from the outside in; below this line stands the innermost one's cause.
    inner = re.split(r"Failed in \w+ mode pipeline[^\n]*\n", text)[-1]
    where = re.search(r'File "([^"]*)", line (\d+)', inner)
    line = ""
    if where:
        other = PurePath(where[1]).name != PurePath(written.__code__.co_filename).name
        line = f"line {where[2]} of {PurePath(where[1]).name}: " if other else f"line {where[2]}: "
    undefined = re.search(r"name '(\w+)' is not defined", inner)
    if undefined:
        line = _line_that_names(undefined[1], written) or line
    lines = [each.strip() for each in inner.splitlines() if each.strip()]
    why = lines[0] if lines else type(error).__name__
    unknown = re.search(r"Unknown attribute '(\w+)' of type \w+Features\(", inner)
    if unknown:
        why = f"x.{unknown[1]} is not a feature; features() names {', '.join(feature_names)}"
    return line + why


def _line_that_names(name: str, written: Callable[..., Any]) -> str:
    line = 0
    for each in dis.get_instructions(written):
        line = each.starts_line or line
        if each.argval == name:
            return f"line {line}: "
    return ""

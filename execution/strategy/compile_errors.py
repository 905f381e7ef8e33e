"""numba's several pages about code that it cannot compile, in a sentence."""

import dis
import re
from collections.abc import Callable, Sequence
from pathlib import PurePath
from typing import Any


def explained(error: Exception, written: Callable[..., Any], feature_names: Sequence[str]) -> str:
    """The cause in words behind "line 12: "; in a function that is called, the line in there."""
    text = str(error)
    # Failures are told from the outside in; below this line stands the innermost one's cause.
    inner = re.split(r"Failed in \w+ mode pipeline[^\n]*\n", text)[-1]
    line = _innermost_line(inner, written) or _innermost_line(text, written)
    undefined = re.search(r"name '(\w+)' is not defined", inner)
    if undefined:
        line = _line_that_names(undefined[1], written) or line
    lines = [each.strip() for each in inner.splitlines() if each.strip()]
    why = lines[0] if lines else type(error).__name__
    specific = re.findall(r"raised a specific error:\s*\w+Error: (.+)", inner)
    if specific:
        why = specific[-1]
    unknown = re.search(r"Unknown attribute '(\w+)' of type \w+Features\(", inner)
    if unknown:
        why = f"x.{unknown[1]} is not a feature; features() names {', '.join(feature_names)}"
    return line + why


def _innermost_line(text: str, written: Callable[..., Any]) -> str:
    """The first place told that is not in numba itself."""
    for path, line in re.findall(r'File "([^"]*)", line (\d+)', text):
        if "numba" in PurePath(path).parts:
            continue
        name = PurePath(path).name
        same = name == PurePath(written.__code__.co_filename).name
        return f"line {line}: " if same else f"line {line} of {name}: "
    return ""


def _line_that_names(name: str, written: Callable[..., Any]) -> str:
    line = 0
    for each in dis.get_instructions(written):
        line = each.starts_line or line
        if each.argval == name:
            return f"line {line}: "
    return ""

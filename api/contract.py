"""Writes api/web/src/client/contract.ts from messages.py, so that the page cannot misremember a field.

python -m api.contract > api/web/src/client/contract.ts
"""

from typing import Any, Final

from pydantic import BaseModel
from pydantic.json_schema import models_json_schema

from api import messages
from api.errors import ErrorAnswer
from api.stream import Ask, Hello, Renew

HEAD: Final = """// Made from api/messages.py by `python -m api.contract`; do not edit.
// Decimals and instants are strings: exact on the wire, parsed where they are shown.
"""

_PLAIN: Final = {
    "string": "string",
    "integer": "number",
    "number": "number",
    "boolean": "boolean",
    "null": "null",
}


def typescript() -> str:
    """Every message as an interface or a union of words, sorted by name."""
    shapes: list[type[BaseModel]] = [ErrorAnswer, Hello, Ask, Renew]
    for shape in vars(messages).values():
        if isinstance(shape, type) and issubclass(shape, messages.Message) and shape is not messages.Message:
            shapes.append(shape)
    _, schema = models_json_schema([(shape, "serialization") for shape in shapes])
    found: dict[str, dict[str, Any]] = schema["$defs"]
    return HEAD + "".join("\n" + _declaration(name, found[name]) for name in sorted(found))


def _declaration(name: str, schema: dict[str, Any]) -> str:
    if "enum" in schema:
        return f"export type {name} = {_type(schema)}\n"
    fields = "".join(f"  {field}: {_type(shape)}\n" for field, shape in schema.get("properties", {}).items())
    return f"export interface {name} {{\n{fields}}}\n"


def _type(schema: dict[str, Any]) -> str:
    if "$ref" in schema:
        return str(schema["$ref"]).rsplit("/", 1)[-1]
    if "const" in schema:
        return f"'{schema['const']}'"
    if "enum" in schema:
        return " | ".join(f"'{word}'" for word in schema["enum"])
    if "anyOf" in schema:
        return " | ".join(dict.fromkeys(_type(choice) for choice in schema["anyOf"]))
    if schema.get("type") == "array":
        if "prefixItems" in schema:
            return f"[{', '.join(_type(item) for item in schema['prefixItems'])}]"
        item = _type(schema["items"])
        return f"({item})[]" if " | " in item else f"{item}[]"
    if schema.get("type") == "object":
        values = schema.get("additionalProperties")
        return f"Record<string, {_type(values) if isinstance(values, dict) else 'unknown'}>"
    return _PLAIN[schema["type"]]


if __name__ == "__main__":
    print(typescript(), end="")

"""The problems of a model's arguments, in words that help it: the place, the expected value, the given value."""

from __future__ import annotations

import difflib
from collections.abc import Iterator, Mapping, Sequence
from itertools import islice
from typing import Any

from openapi_mcp_server.bridge.arguments.declared import declared_members, referred_schema, schema_at
from openapi_mcp_server.bridge.arguments.undeclared import plain
from openapi_mcp_server.bridge.media import exact_json
from openapi_mcp_server.bridge.model import Tool
from openapi_mcp_server.bridge.schemas.edits import decode
from openapi_mcp_server.bridge.schemas.validation import Failure, Kind
from openapi_mcp_server.bridge.text import shorten
from openapi_mcp_server.openapi.pointers import escaped

MAX_PROBLEMS = 5
_VALUE_LENGTH = 60
_EXPECTED_LENGTH = 200
_CHOICE_LENGTH = 400
_NAMES_SHOWN = 20

Selector = tuple[str, list[Any]]
"""The name of a member whose value selects one of several schemas, and the values."""

_LISTED = (Kind.Enum, Kind.Constant)
_EXPECTED = {
    "minimum": "a number of at least {limit}",
    "maximum": "a number of at most {limit}",
    "exclusiveMinimum": "a number above {limit}",
    "exclusiveMaximum": "a number below {limit}",
    "multipleOf": "a multiple of {multiple_of}",
    "minLength": "at least {limit} characters",
    "maxLength": "at most {limit} characters",
    "pattern": "text that matches {pattern}",
    "minItems": "at least {limit} items",
    "maxItems": "at most {limit} items",
    "uniqueItems": "items that all differ",
    "minProperties": "at least {limit} properties",
    "maxProperties": "at most {limit} properties",
    "contains": "certain items, as the schema's 'contains' says",
    "falseSchema": "nothing there",
    "oneOf": "what fits only one of the schema's alternatives",
}
"""Expectations by keyword (JSON Schema 2020-12 validation, section 6); names in braces are those of jsonschema-rs."""


def told(tool: Tool, errors: Sequence[Failure]) -> str:
    """The first problems, one in each line."""
    schema = decode(tool.input.schema)
    problems = (problem for error in _distinct(errors) for problem in _problems(error, schema))
    first = list(dict.fromkeys(islice(problems, MAX_PROBLEMS + 1)))
    lines = [f"- {problem}" for problem in first[:MAX_PROBLEMS]]
    more = ["- and more"] if len(first) > MAX_PROBLEMS else []
    return "\n".join([f"The arguments do not fit {tool.name}:", *lines, *more])


def _distinct(errors: Sequence[Failure]) -> Iterator[Failure]:
    """The errors without those that repeat what an enumeration's error says about the same value."""
    listed = {tuple(error.instance_path) for error in errors if isinstance(error.kind, _LISTED)}
    return (error for error in errors if isinstance(error.kind, _LISTED) or tuple(error.instance_path) not in listed)


def _problems(error: Failure, schema: object) -> Iterator[str]:
    """The problems of one error; ``schema`` is the whole input schema, decoded."""
    place = _pointer(error.instance_path)
    around = error.schema_path[:-1]
    match error.kind:
        case Kind.Required(property=name):
            expected = _outline(schema_at(schema, [*around, "properties", name]), schema)
            yield f"{place}/{_token(name)}: missing, expected {expected}"
        case Kind.AdditionalProperties(unexpected=names):
            closed = schema_at(schema, around)
            known = list(closed.get("properties", ())) if isinstance(closed, dict) else []
            forms = list(closed.get("patternProperties", ())) if isinstance(closed, dict) else []
            for name in names:
                yield f"{place}/{_token(name)}: unknown{_nearest(name, known, forms)}"
        case Kind.UnevaluatedProperties(unexpected=names):
            known = declared_members(schema_at(schema, around), schema)
            for name in names:
                yield f"{place}/{_token(name)}: unknown{_nearest(name, known)}"
        case Kind.AnyOf(context=branches) | Kind.OneOfNotValid(context=branches):
            yield from _of_choice(error, branches, schema)
        case Kind.PropertyNames(error=inner):
            yield f"{place or '/'}: expected names of properties to be {_expected(inner)}, got {_shown(inner.instance)}"
        case _:
            yield f"{place or '/'}: expected {_expected(error)}, got {_shown(error.instance)}"


def _of_choice(error: Failure, branches: Sequence[Sequence[Failure]], schema: object) -> Iterator[str]:
    """The problems of a choice that fails: those of the only branch of the right type and kind, or one of each such
    branch, or else the types."""
    wrong_types = [_wrong_type(error, branch) for branch in branches]
    right = [branch for branch, types in zip(branches, wrong_types, strict=True) if types is None]
    meant = [branch for branch in right if not _is_another_kind(error, branch)]
    selector = _selector(error, schema) if len(right) > 1 else None
    if len(right) == 1 or len(meant) == 1:
        problems = (problem for inner in _distinct((meant or right)[0]) for problem in _problems(inner, schema))
        yield from problems if selector is None else _since(problems, selector, error.instance)
        return
    place = _pointer(error.instance_path) or "/"
    if right and not meant and selector is not None:
        name, values = selector
        value = _shown(error.instance[name])
        yield f"{_pointer([*error.instance_path, name])}: expected {_one_of(values)}, got {value}"
        return
    if right:
        firsts = dict.fromkeys(problem for branch in right for problem in islice(_problems(branch[0], schema), 1))
        yield shorten(f"{place}: fits none of {len(right)} alternatives: {', or '.join(firsts)}", _CHOICE_LENGTH)
        return
    types = dict.fromkeys(name for names in wrong_types if names for name in names)
    yield f"{place}: expected {' or '.join(types)}, got {_shown(error.instance)}"


def _is_another_kind(choice: Failure, branch: Sequence[Failure]) -> bool:
    """Whether a branch is for objects with another value in a member such as ``kind``."""
    depth = len(choice.instance_path)
    return any(
        isinstance(error.kind, Kind.Not if len(error.instance_path) == depth else _LISTED)
        and len(error.instance_path) <= depth + 1
        for error in branch
    )


def _since(problems: Iterator[str], selector: Selector, value: Mapping[str, Any]) -> Iterator[str]:
    """The problems of a branch; the first also names the member that selects the branch."""
    name, values = selector
    others = [each for each in values if each != value[name]]
    for first in islice(problems, 1):
        yield f"{first}, since {_token(name)} is {_shown(value[name])} ({_one_of([value[name], *others])})"
    yield from problems


def _selector(choice: Failure, schema: object) -> Selector | None:
    """The member whose value selects a branch, and its values, as `openapi.schemas.discriminators` writes them: those
    that each branch refuses, or all that it accepts. None if no member selects it."""
    found: dict[str, list[Any]] = {}
    branches = schema_at(schema, choice.schema_path)
    for branch in branches if isinstance(branches, list) else ():
        match branch:
            case {"not": {"properties": dict() as members, "required": [str() as name], **rest}} if not rest:
                match members.get(name):
                    case {"enum": list() as values} | {"not": {"enum": list() as values}}:
                        known = found.setdefault(name, [])
                        known += [value for value in values if value not in known]
    if len(found) != 1 or not isinstance(choice.instance, dict):
        return None
    selector = next(iter(found.items()))
    return selector if selector[0] in choice.instance else None


def _wrong_type(choice: Failure, branch: Sequence[Failure]) -> list[str] | None:
    """The types that a branch expects instead of the value's; None if the type is right."""
    for error in branch:
        if error.instance_path == choice.instance_path:
            match error.kind:
                case Kind.Type(types=types):
                    return types
    return None


def _expected(error: Failure) -> str:
    match kind := error.kind:
        case Kind.Type(types=types):
            return " or ".join(types)
        case Kind.Enum(options=options):
            return _one_of(options)
        case Kind.Constant(expected_value=value):
            return _shown(value)
        case Kind.Not(schema=refused):
            return f"anything but what fits {shorten(exact_json.encode(refused).decode(), _EXPECTED_LENGTH)}"
    form = _EXPECTED.get(kind.name)
    if form is None:
        return f"a value that satisfies the schema's {kind.name!r}"
    return shorten(form.format_map(kind.as_dict()), _EXPECTED_LENGTH)


def _outline(schema: object, root: object) -> str:
    """A short description of a schema in a word or two; ``root`` has the definitions."""
    return shorten(" or ".join(dict.fromkeys(_kinds(schema, root, set()))) or "a value", _EXPECTED_LENGTH)


def _kinds(schema: object, root: Any, followed: set[str]) -> list[str]:  # noqa: ANN401 - any JSON value
    """The values or types that a schema names itself, or else by reference, in its parts or its alternatives."""
    found: list[str] = []
    match schema:
        case {"const": value}:
            found = [_shown(value)]
        case {"enum": list() as options}:
            found = [_one_of(options)]
        case {"type": str() | list() as types}:
            found = [types] if isinstance(types, str) else types
        case {"$ref": str() as target} if target not in followed:
            followed.add(target)
            found = _kinds(referred_schema(target, root), root, followed)
        case {"allOf": list() as parts}:
            found = next(filter(None, (_kinds(part, root, followed) for part in parts)), [])
        case {"anyOf": list() as parts} | {"oneOf": list() as parts}:
            found = [kind for part in parts for kind in _kinds(part, root, followed)]
    return found


def _one_of(values: Sequence[Any]) -> str:
    return f"one of {shorten(', '.join(map(_shown, values)), _EXPECTED_LENGTH)}"


def _nearest(name: str, known: Sequence[str], forms: Sequence[str] = ()) -> str:
    """The known names that are near to an unknown one, or else all; ``forms`` are patterns of further names."""
    short = name[:_VALUE_LENGTH]
    near = [each for each in known if plain(each) == plain(short)] or difflib.get_close_matches(short, known, n=3)
    if near:
        return f"; did you mean {' or '.join(near)}?"
    shown = [*known[:_NAMES_SHOWN], *(["…"] if len(known) > _NAMES_SHOWN else [])]
    if forms:
        shown.append(f"names that match {shorten(' or '.join(forms), _EXPECTED_LENGTH)}")
    return f"; there are {', '.join(shown) or 'none'}"


def _shown(value: object) -> str:
    """The beginning of a value, without copying a long text."""
    begun = value[: _VALUE_LENGTH + 1] if isinstance(value, str) else value
    return shorten(exact_json.encode(begun)[: 6 * _VALUE_LENGTH].decode(errors="ignore"), _VALUE_LENGTH)


def _pointer(path: Sequence[str | int]) -> str:
    return "".join(f"/{_token(str(step))}" for step in path)


def _token(step: str) -> str:
    """A token of a JSON Pointer (RFC 6901 section 3), shortened, since a name can have a megabyte."""
    return escaped(shorten(step, _VALUE_LENGTH))

"""Overlays change a document before it is read (Overlay Specification 1.0 and 1.1).

Where 1.0 leaves a choice, 1.1 decides: an array is appended to an array entry by entry, and values that cannot be
merged are an error. 1.0 forbids primitive values as targets, but its published compliance tests use them, so they are
accepted.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from typing import Literal, assert_never

import msgspec

from openapi_mcp_server.errors import SpecError
from openapi_mcp_server.openapi.model import Note
from openapi_mcp_server.openapi.text import json_path, numbers
from openapi_mcp_server.openapi.text.document import Document, DocumentLimits, parse, read
from openapi_mcp_server.openapi.text.json_path import Json, Node
from openapi_mcp_server.openapi.text.numbers import Number

_VERSION = re.compile(r"1\.(?P<minor>[01])(\.[0-9]+)?")
_FIELDS = ({"target", "description", "update", "remove"}, {"target", "description", "update", "remove", "copy"})
"""The fields of an action by minor version, without extensions (``x-…``)."""
_SHOWN = 80
"""Characters of a key or version in a message."""

_Kind = Literal["object", "array", "primitive"]


class Overlaid(msgspec.Struct, frozen=True):
    document: Document
    notes: tuple[Note, ...]


class _Action(msgspec.Struct, frozen=True):
    """``value`` is the value to merge, or for ``copy`` the query that selects it."""

    target: str
    verb: Literal["update", "copy", "remove", "nothing"]
    value: Json = None


class _Room:
    """The room that is left for additions within the document's limits, since copies can double it repeatedly."""

    def __init__(self, limits: DocumentLimits) -> None:
        self._limits = limits
        self._values = limits.values

    def copied(self, value: Json, depth: int) -> Json:
        """A copy of a value, to stand ``depth`` levels below the root."""
        self._values -= 1
        if self._values < 0:
            raise ValueError(f"the overlay adds more than {self._limits.values} values")
        if depth > self._limits.depth:
            raise ValueError(f"the document becomes deeper than {self._limits.depth} levels")
        if isinstance(value, dict):
            return {key: self.copied(member, depth + 1) for key, member in value.items()}
        if isinstance(value, list):
            return [self.copied(entry, depth + 1) for entry in value]
        return value


def apply(document: Document, overlay: bytes, *, name: str, limits: DocumentLimits = DocumentLimits()) -> Overlaid:  # noqa: B008 - immutable
    """The document with every action of an overlay (JSON or YAML) applied in order. ``name`` is for the notes.

    Raises SpecError with the action's place in the overlay; a target that selects nothing is only noted.
    """
    actions = _actions(_decoded(read(overlay, limits=limits), "the overlay"))
    root, room, notes = _decoded(document.json, "the document to change"), _Room(limits), []
    for index, action in enumerate(actions):
        try:
            selected = _carry_out(action, root, room)
        except ValueError as error:
            raise SpecError(f"#/actions/{index}", str(error)) from error
        if selected and action.verb != "nothing":
            continue
        does = "is left as it is: no update, copy or remove: true" if selected else "selects nothing"
        message = f"{name}: the target {action.target!r} {does}"
        notes.append(Note(pointer=f"#/actions/{index}", kind="overlay_unused", message=message))
    try:
        changed = parse(numbers.encode(root), limits=limits)
    except SpecError as error:
        raise SpecError(error.pointer, f"with the overlay applied: {error.problem}") from error
    return Overlaid(changed, tuple(notes))


def _decoded(json: bytes, what: str) -> Json:
    try:
        return numbers.decode(json)
    except msgspec.ValidationError as error:  # YAML's integers have no limit, Python's have 4,300 digits
        raise SpecError("", f"{what} has a number that is too long") from error


def _actions(overlay: Json) -> list[_Action]:
    if not isinstance(overlay, dict) or "overlay" not in overlay:
        raise SpecError("", "not an overlay: no `overlay` key at the top")
    version = overlay["overlay"]
    text = version.spelt if isinstance(version, Number) else version
    found = _VERSION.fullmatch(text) if isinstance(text, str) else None
    if found is None:
        raise SpecError("#/overlay", f"version {str(text)[:_SHOWN]!r} is not supported; accepted are 1.0 and 1.1")
    declared = overlay.get("actions")
    if not isinstance(declared, list) or not declared:
        raise SpecError("#/actions", "must be an array of at least one action")
    actions = []
    for index, value in enumerate(declared):
        try:
            actions.append(_action(value, int(found["minor"])))
        except ValueError as error:
            raise SpecError(f"#/actions/{index}", str(error)) from error
    return actions


def _action(declared: Json, minor: int) -> _Action:
    if not isinstance(declared, dict):
        raise ValueError("an action must be an object")  # noqa: TRY004 - of the document, not of the program
    _text(declared, "target")
    for key in declared:
        if key not in _FIELDS[minor] and not key.startswith("x-"):
            raise ValueError(f"an action of version 1.{minor} has no field {key[:_SHOWN]!r}")
    remove = declared.get("remove", False)
    if not isinstance(remove, bool):
        raise ValueError("`remove` must be true or false")  # noqa: TRY004 - as above
    if remove:
        return _Action(declared["target"], "remove")
    if "update" in declared and "copy" in declared:
        raise ValueError("an action has `update` or `copy`, not both")
    if "update" in declared:
        return _Action(declared["target"], "update", declared["update"])
    if "copy" in declared:
        return _Action(declared["target"], "copy", _text(declared, "copy"))
    return _Action(declared["target"], "nothing")  # only the target is required


def _text(action: dict[str, Json], field: str) -> str:
    value = action.get(field)
    if isinstance(value, str):
        return value
    raise ValueError(f"`{field}` must be a string")


def _carry_out(action: _Action, root: Json, room: _Room) -> int:
    """Changes ``root``; returns the number of nodes that the target selects. Raises ValueError with the fault."""
    nodes = json_path.select(action.target, root)
    match action.verb:
        case "remove":
            _remove(nodes, root)
        case "update":
            _update(nodes, action.value, root, room)
        case "copy":
            _update(nodes, room.copied(_source(action.value, root), 0), root, room)
        case "nothing":
            pass
        case unknown:
            assert_never(unknown)
    return len(nodes)


def _source(query: str, root: Json) -> Json:
    sources = json_path.select(query, root)
    if len(sources) != 1:
        raise ValueError(f"`copy` must select one node; {query!r} selects {len(sources)}")
    return sources[0].value


def _remove(nodes: Sequence[Node], root: Json) -> None:
    """Removes the last nodes first, so that no index changes and a container is removed after its content."""
    order = [tuple((part, "") if isinstance(part, int) else (-1, part) for part in node.location) for node in nodes]
    for _, node in sorted(zip(order, nodes, strict=True), key=lambda pair: pair[0], reverse=True):
        if not node.location:
            raise ValueError("the root is in no object or array that it could be removed from")
        del _at(node.location[:-1], root)[node.location[-1]]


def _update(nodes: Sequence[Node], value: Json, root: Json, room: _Room) -> None:
    kinds = sorted({_kind(node.value) for node in nodes})
    if len(kinds) > 1:
        raise ValueError(f"the target selects nodes of more than one kind: {', '.join(kinds)}")
    for node in nodes:
        depth = len(node.location) + 1
        match _kind(node.value), _kind(value):
            case "object", "object":
                _merge(node.value, value, depth, room)
            case "array", "array":
                node.value.extend(room.copied(value, depth))
            case "array", _:
                node.value.append(room.copied(value, depth))
            case "primitive", "primitive":
                _at(node.location[:-1], root)[node.location[-1]] = value
            case old, new:
                raise ValueError(f"the target is of kind {old}; what is merged with it is of kind {new}")


def _merge(target: dict[str, Json], value: dict[str, Json], depth: int, room: _Room) -> None:
    for key, new in value.items():
        if key not in target:
            target[key] = room.copied(new, depth + 1)
            continue
        match _kind(target[key]), _kind(new):
            case "object", "object":
                _merge(target[key], new, depth + 1, room)
            case "array", "array":
                target[key].extend(room.copied(new, depth + 1))
            case "primitive", "primitive":
                target[key] = new
            case old, other:
                raise ValueError(f"{key[:_SHOWN]!r} is of kind {old} and cannot be merged with kind {other}")


def _kind(value: Json) -> _Kind:
    if isinstance(value, dict):
        return "object"
    return "array" if isinstance(value, list) else "primitive"


def _at(location: Sequence[str | int], root: Json) -> Json:
    for part in location:
        root = root[part]
    return root

"""``response_filter``: a model's JMESPath expression, applied to an answer with limits on time and memory.

The language has no loops, but it can repeat: ``[@,@]|[@,@]|…`` doubles the answer with every step, and flattening needs
memory for all of it. So there are limits for the length of an expression, for its repetitions of the input (counted
before anything is sent) and for the steps of its evaluation, in which comparing and sorting count by size. Functions
that make text of any length are not available. `Selection.weight` estimates the time of an evaluation.

This module is loaded at the first call with a filter, since importing jmespath takes 12 to 30 ms.
"""

from __future__ import annotations

import gc
import math
import warnings
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from functools import partial
from typing import Any

import msgspec
from jmespath import exceptions, parser  # type: ignore[import-untyped]
from jmespath.visitor import TreeInterpreter  # type: ignore[import-untyped]

from openapi_mcp_server.bridge.media.by_parts import decode_by_parts, holds, take_apart
from openapi_mcp_server.bridge.media.content import AnswerContent
from openapi_mcp_server.bridge.media.exact_json import encode_by_parts
from openapi_mcp_server.bridge.media.large_json import MAX_VALUES, is_large
from openapi_mcp_server.bridge.model import RESPONSE_FILTER
from openapi_mcp_server.bridge.text import shorten, visible
from openapi_mcp_server.errors import ArgumentError
from openapi_mcp_server.openapi.text.numbers import encode
from openapi_mcp_server.pausing import make_way

MAX_LENGTH = 1_000
"""The most characters of an expression."""
MAX_COPIES = 16
"""The most times that a part of the answer may appear in the result."""
MAX_RESULT_BYTES = 32 * 1024 * 1024
"""The most bytes of a filter's result, if every part of the answer appears as often as possible."""
MAX_STEPS = 1_000_000
"""The most evaluated nodes; a millisecond is enough for 1,000 to 2,000."""
_STEPS_AT_ONCE = 64
_BYTES_PER_STEP = 8
"""Items or characters that count as one more step."""
_REASON_LIMIT = 200
_NOTATION = "It is written as items[?price > `10` && kind == 'a'].{id: id, name: name}, without $ or a leading dot."
"""The hint for models that write JSONPath, jq or JavaScript."""
_QUOTES = """In JMESPath "x" is the name of a member; a text is 'x'."""
_NAMES, _NAME, _OUTLINED, _SHOWN = 12, 40, 5, 400
"""Limits of an answer's names that are shown if nothing was selected: names of a level, characters of a name, levels,
and characters in all."""
_REFUSED_FUNCTIONS = frozenset({"join", "to_string"})
_SORTING = frozenset({"sort", "sort_by"})
_WITH_EXPRESSION = frozenset({"map", "sort_by", "min_by", "max_by"})

_SEQUENCES = frozenset({"subexpression", "pipe", "index_expression", "projection", "value_projection"})
_ALTERNATIVES = frozenset(
    {"or_expression", "and_expression", "key_val_pair", "flatten", "comparator", "not_expression"}
)
_SELECTIONS = frozenset({"multi_select_list", "multi_select_dict"})

Node = dict[str, Any]
_members = msgspec.json.Decoder(dict[str, msgspec.Raw]).decode
_items = msgspec.json.Decoder(list[msgspec.Raw]).decode


class Expression(msgspec.Struct, frozen=True):
    """jmespath's tree, and the most times that a part of an answer may appear in the result."""

    tree: Node
    copies: int


class NotApplied(ValueError):
    """The expression does not fit this answer; the text says why."""


class Selection(msgspec.Struct, frozen=True):
    """Applies the expression to an answer. If that is not possible, the answer stays whole with a note, since the call
    is done."""

    text: str
    expression: Expression

    def __call__(self, body: AnswerContent) -> AnswerContent:
        return _selected_body(self, body)

    def weight(self, size: int) -> int:
        """The number of bytes of an unfiltered answer that take as long as ``size`` bytes of a filtered one. The number
        of steps is at most a quarter of that."""
        return len(self.text) * size

    def left_out(self, reason: str) -> Callable[[AnswerContent], AnswerContent]:
        """The replacement for the selection if it cannot be applied."""
        return partial(_unfiltered, reason=reason)


def selection(expression: str) -> Selection:
    """The selection of an expression. Raises ArgumentError, see `parsed`."""
    return Selection(expression, parsed(expression))


def parsed(expression: str) -> Expression:
    """Parses an expression. Raises ArgumentError with the position if it is invalid or could take too long."""
    if len(expression) > MAX_LENGTH:
        raise _refused(f"an expression has at most {MAX_LENGTH} characters, this has {len(expression)}.")
    try:
        with warnings.catch_warnings(action="ignore"):  # an older spelling of literals that still works
            tree: Node = parser.Parser().parse(expression).parsed
        return Expression(tree, _copies(tree))
    except exceptions.ParseError as error:
        where = f"at character {error.lex_position + 1}"
        raise _refused(f"not a JMESPath expression: unexpected text or end {where}. {_NOTATION}") from error
    except RecursionError as error:
        raise _refused("the expression is nested too deeply.") from error
    except ValueError as error:
        raise _refused(str(error)) from error


def apply(expression: Expression, answer: bytes) -> bytes:
    """The result as compact JSON; numbers that are only passed on keep their spelling. Raises NotApplied."""
    if is_large(answer):
        raise NotApplied(f"the answer has more than {MAX_VALUES:,} names and values; ask for fewer at once")
    width = 1 if answer.isascii() and not _has_escapes(answer) else 4  # bytes of each character if a text has an emoji
    if expression.copies * len(answer) * width > MAX_RESULT_BYTES:
        raise NotApplied("the answer is too long for that; ask for less at once")
    try:
        with _collector_paused():
            return _visited(expression.tree, decode_by_parts(answer))
    except exceptions.JMESPathTypeError as error:
        message = f"{error.function_name}() was given {error.actual_type}"
        raise NotApplied(message) from error
    except (ValueError, TypeError, ArithmeticError, RecursionError) as error:  # Python's errors for mixed operands
        raise NotApplied(str(error)[:_REASON_LIMIT]) from error


def _has_escapes(answer: bytes) -> bool:
    """Whether there are escapes. A backslash is searched first, since most answers have none."""
    return b"\\" in answer and holds(answer, b"\\u")


def _visited(tree: Node, value: Any) -> bytes:  # noqa: ANN401 - any JSON value
    part = encode_by_parts(_Bounded().visit(tree, value), encode)
    take_apart(value)
    return part


def _refused(problem: str) -> ArgumentError:
    return ArgumentError(f"/{RESPONSE_FILTER}: {problem}")


@contextmanager
def _collector_paused() -> Iterator[None]:
    """Pauses the garbage collector. JSON has no cycles, and repeated searches for them would take several times as
    long."""
    was_enabled = gc.isenabled()
    gc.disable()
    try:
        yield
    finally:
        if was_enabled:
            gc.enable()


def _selected_body(selection: Selection, body: AnswerContent) -> AnswerContent:
    if body.json is None:
        return _unfiltered(body, "the answer is not JSON")
    try:
        part = apply(selection.expression, body.json)
    except NotApplied as error:
        return _unfiltered(body, f"{error}; {_QUOTES.removesuffix('.')}" if _has_quotes(selection.text) else str(error))
    is_nothing = part == b"null" or (part == b"[]" and "?" not in selection.text)
    there = shorten(_outline(body.json), _SHOWN) if is_nothing else ""
    notes = (f"Note: {RESPONSE_FILTER} selected nothing of {there}.",) if is_nothing else ()
    if part in {b"null", b"[]"} and _has_quotes(selection.text):
        notes = (*notes, f"Note: {_QUOTES}")
    return AnswerContent(json=part, notes=(*body.notes, *notes), filtered=True)


def _has_quotes(expression: str) -> bool:
    """Whether a function or a comparison may have a name in place of a text."""
    return '"' in expression and ("?" in expression or "(" in expression)


def _outline(answer: bytes, depth: int = _OUTLINED) -> str:
    """The names at the top of an answer and within its lists, so that a model can correct its expression. Lists of
    tools do not have them, since a line for each would cost 3 % more."""
    begun = answer.lstrip()[:1]
    if begun not in {b"[", b"{"} or not depth:
        return "…" if not depth else "a value"
    if begun == b"[":
        items = _items(answer)
        return f"[{_outline(bytes(items[0]), depth - 1)}]" if items else "[]"
    members = _members(answer)
    told = [_member(name, bytes(each), depth) for name, each in list(members.items())[:_NAMES]]
    return f"{{{', '.join([*told, *(['…'] if len(members) > _NAMES else [])])}}}"


def _member(name: str, value: bytes, depth: int) -> str:
    shown = shorten(" ".join(visible(name).split()), _NAME)
    return f"{shown}: {_outline(value, depth - 1)}" if value.startswith(b"[{") else shown


def _unfiltered(body: AnswerContent, reason: str) -> AnswerContent:
    note = f"Note: {RESPONSE_FILTER} was not applied: {reason}."
    return msgspec.structs.replace(body, notes=(*body.notes, note))


class _Bounded(TreeInterpreter):  # type: ignore[misc]
    """Evaluates at most `MAX_STEPS` nodes."""

    def __init__(self) -> None:
        super().__init__()
        self._left = MAX_STEPS

    def visit(self, node: Node, *args: object, **kwargs: object) -> object:
        self._spend(1)
        return super().visit(node, *args, **kwargs)

    def visit_function_expression(self, node: Node, value: object) -> object:
        name: str = node["value"]
        arguments = [self.visit(child, value) for child in node["children"]]
        for argument in arguments:
            self._charge(argument)
            if name in _SORTING and isinstance(argument, list):
                self._spend(len(argument) * len(argument).bit_length() // 2)
        if name == "contains" and arguments and isinstance(arguments[-1], list | dict):
            self._charge_whole(arguments[0])
        return self._functions.call_function(name, arguments)

    def visit_comparator(self, node: Node, value: object) -> object:
        left, right = (self.visit(child, value) for child in node["children"])
        if isinstance(left, list | dict) and isinstance(right, list | dict) and len(left) == len(right):
            self._charge_whole(left)
        if node["value"] not in self._EQUALITY_OPS and not (_has_order(left) and _has_order(right)):
            return None
        return self.COMPARATOR_FUNC[node["value"]](left, right)

    def visit_flatten(self, node: Node, value: object) -> object:
        flat = super().visit_flatten(node, value)
        self._charge(flat)
        return flat

    def visit_slice(self, node: Node, value: object) -> object:
        part = super().visit_slice(node, value)
        self._charge(part)
        return part

    def visit_literal(self, node: Node, _value: object) -> object:
        self._charge(str(node["value"]))
        return node["value"]

    def visit_key_val_pair(self, node: Node, value: object) -> object:
        self._charge(node["value"])
        return super().visit_key_val_pair(node, value)

    def _charge(self, touched: object) -> None:
        if isinstance(touched, list | dict | str):
            self._spend(len(touched) // _BYTES_PER_STEP)

    def _charge_whole(self, touched: object) -> None:
        """Charges for a value with everything in it."""
        containers: list[Any] = [touched]
        while containers:
            container = containers.pop()
            self._spend(1)
            self._charge(container)
            inside = container.values() if isinstance(container, dict) else container
            containers += [each for each in inside if isinstance(each, list | dict)]

    def _spend(self, steps: int) -> None:
        self._left -= steps
        if not self._left % _STEPS_AT_ONCE:
            make_way()
        if self._left < 0:
            raise NotApplied("it takes too long on an answer of this size")


def _has_order(value: object) -> bool:
    return isinstance(value, int | float | str) and not isinstance(value, bool)


def _copies(node: Node) -> int:
    """The most times that a part of the input may appear in the result; raises ValueError."""
    count = _counted(node)
    if count > MAX_COPIES:
        raise ValueError(f"the expression repeats parts of the answer more than {MAX_COPIES} times.")
    return count


def _counted(node: Node) -> int:
    kind, children = node["type"], node.get("children", ())
    if kind in _SEQUENCES:
        return math.prod(map(_copies, children))
    if kind in _SELECTIONS:
        return _selected(children)
    if kind in _ALTERNATIVES:
        return max(map(_copies, children))
    if kind == "filter_projection":
        rows, result, condition = map(_copies, children)
        return max(rows * result, condition)
    if kind == "function_expression":
        return _called(node["value"], children)
    if kind == "expref":
        raise ValueError(f"& belongs into {', '.join(sorted(_WITH_EXPRESSION))} only.")
    return 1


def _selected(children: list[Node]) -> int:
    """The copies of several children. Members with different names share no part: ``{id: id, name: name}`` copies
    nothing twice."""
    by_field: dict[str, int] = {}
    anywhere = 0
    for child in children:
        count, field = _copies(child), _first_field(child)
        if field is None:
            anywhere += count
        else:
            by_field[field] = by_field.get(field, 0) + count
    return anywhere + max(by_field.values(), default=0)


def _first_field(node: Node) -> str | None:
    while node["type"] in _SEQUENCES or node["type"] in {"filter_projection", "flatten", "key_val_pair"}:
        node = node["children"][0]
    return str(node["value"]) if node["type"] == "field" else None


def _called(name: str, arguments: list[Node]) -> int:
    if name in _REFUSED_FUNCTIONS:
        raise ValueError(f"{name}() is not available here.")
    if name not in _FUNCTIONS:
        raise ValueError(f"there is no function {name}().")
    if name not in _WITH_EXPRESSION:
        return sum(map(_copies, arguments)) or 1
    inner = [argument["children"][0] if argument["type"] == "expref" else argument for argument in arguments]
    return math.prod(map(_copies, inner))


_FUNCTIONS = frozenset(TreeInterpreter()._functions.FUNCTION_TABLE)  # noqa: SLF001 - there is no public list

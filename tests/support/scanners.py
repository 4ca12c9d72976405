"""What reads text that a stranger sent: the compiled patterns of the service with the ways they are used, and the
functions that take text, found by looking through all modules.
"""

from __future__ import annotations

import ast
import importlib
import inspect
import pkgutil
import re
from collections.abc import Callable, Iterator, Mapping
from contextlib import suppress
from copy import deepcopy
from functools import cache, partial
from types import ModuleType
from typing import Any, NamedTuple

import msgspec

import openapi_mcp_server
from openapi_mcp_server.openapi.text.source import DocumentLimits

ROOMS = ("bridge", "mcp", "observe.logs", "observe.traces", "openapi", "settings",
         "server.access.hosts", "server.fields", "server.http11.any_request", "upstream.addresses", "upstream.reader",
         "upstream.retries")  # fmt: skip
"""Where nothing touches anything but its arguments, as far as the functions are looked at."""
WAYS = ("match", "fullmatch", "search")
ANY_WAY = ("fullmatch", "search")
"""Where it is not known how a pattern is used. A search begins with a match, so it takes no less."""
_SEARCHING = {"search", "sub", "subn", "split", "finditer", "findall"}
TEXTS: Mapping[str, Callable[[str], Any]] = {
    "str": str,
    "str | None": str,
    "object": str,
    "bytes": lambda text: text.encode("utf-8", "surrogatepass"),
    "bytes | None": lambda text: text.encode("utf-8", "surrogatepass"),
    "msgspec.Raw": lambda text: msgspec.Raw(text.encode("utf-8", "surrogatepass")),
}
"""How a parameter of this annotation is given text."""
OTHERS: Mapping[str, Callable[[], Any]] = {
    "str": lambda: "a",
    "str | None": lambda: "a",
    "object": lambda: "a",
    "bytes": lambda: b"a",
    "int": lambda: 100_000,
    "bool": lambda: True,
    "Sequence[str]": lambda: ("a", "b"),
    "list[str]": list,
    "Mapping[str, str]": dict,
    "list[Cut]": list,
    "DocumentLimits": DocumentLimits,
    "re.Pattern[str]": lambda: re.compile("[^a]"),
}
"""The rest of its parameters."""


NOT_GIVEN = frozenset(
    {
        "bridge.parameters.percent.reserved(kept)",  # characters that we name
        "bridge.schemas.weight._size(pattern)",  # jsonschema-rs compiles these, within their limits
        "openapi.json_schema.is_pattern(pattern)",
        "openapi.text.json_path._compiled(pattern)",  # of an overlay of the operator's
    }
)
"""Text that no stranger gives. Most of it is compiled, which takes long, though no longer than in proportion."""


class Scanner(NamedTuple):
    """``read`` takes the text; ``name`` says where it is."""

    name: str
    read: Callable[[str], object]


@cache
def modules() -> tuple[ModuleType, ...]:
    found = pkgutil.walk_packages(openapi_mcp_server.__path__, "openapi_mcp_server.")
    return tuple(importlib.import_module(each.name) for each in found if not each.name.endswith("__main__"))


@cache
def patterns() -> dict[str, tuple[re.Pattern[Any], tuple[str, ...]]]:
    """By name, each pattern that a module keeps, also in a container or as a bound method, and how it is used; once,
    where several modules have it."""
    found: dict[str, tuple[re.Pattern[Any], tuple[str, ...]]] = {}
    known = set[tuple[re.Pattern[Any], tuple[str, ...]]]()
    used = _uses()
    for module in modules():
        for name, value in vars(module).items():
            for index, (pattern, bound) in enumerate(() if name.startswith("__") else _inside(value)):
                ways = tuple(sorted({bound} if bound else used.get(name, set()))) or ANY_WAY
                where = f"{module.__name__.removeprefix('openapi_mcp_server.')}.{name}"
                if (pattern, ways) not in known:
                    known.add((pattern, ways))
                    found[f"{where}[{index}]" if index else where] = (pattern, ways)
    return found


def _inside(value: object, depth: int = 0) -> Iterator[tuple[re.Pattern[Any], str]]:
    owner = getattr(value, "__self__", None)
    if isinstance(value, re.Pattern):
        yield value, ""
    elif isinstance(owner, re.Pattern):
        yield owner, value.__name__  # type: ignore[attr-defined]
    elif isinstance(value, dict | list | tuple | set | frozenset) and depth < 4:
        members = [*value.keys(), *value.values()] if isinstance(value, dict) else value
        for member in members:
            yield from _inside(member, depth + 1)


def _uses() -> dict[str, set[str]]:
    """By a name that a pattern may have, how any module uses it: all searching is alike."""
    used: dict[str, set[str]] = {}
    for module in modules():
        for node in ast.walk(ast.parse(inspect.getsource(module))):
            if isinstance(node, ast.Attribute) and node.attr in {*WAYS, *_SEARCHING}:
                way = "search" if node.attr in _SEARCHING else node.attr
                for inner in ast.walk(node.value):  # also `(_ONE if … else _OTHER).match`, and `module._ONE.match`
                    if isinstance(inner, ast.Name | ast.Attribute):
                        name = inner.id if isinstance(inner, ast.Name) else inner.attr
                        used.setdefault(name, set()).add(way)
    return used


@cache
def written_in_place() -> dict[str, tuple[re.Pattern[Any], tuple[str, ...]]]:
    """The patterns that functions of `re` are given as they stand in a function, with escaped text or without, by their
    places."""
    found: dict[str, tuple[re.Pattern[Any], tuple[str, ...]]] = {}
    for module, _, call in _calls_in_functions():
        pattern = _as_it_stands(call, module)
        if pattern is not None:
            way = call.func.attr  # type: ignore[attr-defined]
            ways = ("search",) if way in _SEARCHING else (way,) if way in WAYS else ANY_WAY
            found[_place(module, call)] = (pattern, ways)
    return found


def compiled_inside() -> list[str]:
    """Where a function makes an expression of something else, unless it does nothing but that and makes it of numbers:
    such patterns are tried by themselves."""
    return sorted(
        _place(module, call)
        for module, function, call in _calls_in_functions()
        if _place(module, call) not in written_in_place() and not _gives_a_pattern(function)
    )


def _place(module: ModuleType, call: ast.Call) -> str:
    return f"{module.__name__.removeprefix('openapi_mcp_server.')}:{call.lineno}"


def _as_it_stands(call: ast.Call, module: ModuleType) -> re.Pattern[Any] | None:
    """With a letter for whatever is escaped; None for what is made of more than that and the module's constants."""
    parts = [call.args[0], *(each.value for each in call.keywords if each.arg == "flags")]
    for letter in ("a", b"a"):
        written = [ast.unparse(_Escaped(letter).visit(deepcopy(part))) for part in parts]
        with suppress(NameError, TypeError):
            return re.compile(*(eval(part, vars(module)) for part in written))
    return None


class _Escaped(ast.NodeTransformer):
    def __init__(self, letter: str | bytes) -> None:
        self._letter = letter

    def visit_Call(self, call: ast.Call) -> ast.AST:
        return ast.Constant(self._letter) if ast.unparse(call.func) == "re.escape" else call


@cache
def _calls_in_functions() -> tuple[tuple[ModuleType, ast.FunctionDef | ast.AsyncFunctionDef, ast.Call], ...]:
    """(module, function, call of a function of `re`); an outer function has the calls of the inner ones as well."""
    return tuple(
        (module, function, node)
        for module in modules()
        if "import re" in inspect.getsource(module)
        for function in ast.walk(ast.parse(inspect.getsource(module)))
        if isinstance(function, ast.FunctionDef | ast.AsyncFunctionDef)
        for node in ast.walk(function)
        if isinstance(node, ast.Call) and _is_of_re(node)
    )


def _gives_a_pattern(function: ast.FunctionDef | ast.AsyncFunctionDef) -> bool:
    given = [argument.annotation and ast.unparse(argument.annotation) for argument in function.args.args]
    return "re.Pattern" in ast.unparse(function.returns or ast.Constant("")) and set(given) <= {"int"}


def _is_of_re(call: ast.Call) -> bool:
    function = call.func
    return (
        isinstance(function, ast.Attribute)
        and isinstance(function.value, ast.Name)
        and function.value.id == "re"
        and function.attr != "escape"
    )


def made_patterns() -> dict[str, tuple[re.Pattern[Any], tuple[str, ...]]]:
    """What functions make that give a pattern for a number."""
    found: dict[str, tuple[re.Pattern[Any], tuple[str, ...]]] = {}
    for name, function in _functions():
        if "re.Pattern" in str(inspect.signature(function).return_annotation):
            for number in (0, 1, 3):
                pattern = function(*[number for _ in inspect.signature(function).parameters])
                found[f"{name}({number})"] = (pattern, ANY_WAY)
    return found


def scanners() -> Iterator[Scanner]:
    """Every function that can be called with nothing but text, once for each parameter that takes it."""
    for name, function in _functions():
        parameters = [
            each
            for each in inspect.signature(function).parameters.values()
            if each.default is each.empty and each.kind not in {each.VAR_POSITIONAL, each.VAR_KEYWORD}
        ]
        kinds = {each.name: str(each.annotation) for each in parameters}
        if not all(kind in TEXTS or kind in OTHERS for kind in kinds.values()):
            continue
        for text, kind in kinds.items():
            if kind in TEXTS:
                yield Scanner(f"{name}({text})", partial(_read, function, kinds, text))


def _read(function: Callable[..., object], kinds: Mapping[str, str], text: str, value: str) -> object:
    given = {name: TEXTS[kind](value) if name == text else OTHERS[kind]() for name, kind in kinds.items()}
    result = function(*(given[each] for each in given)) if not _keyword_only(function) else function(**given)
    return list(result) if inspect.isgenerator(result) else result


def _keyword_only(function: Callable[..., object]) -> bool:
    return any(each.kind is each.KEYWORD_ONLY for each in inspect.signature(function).parameters.values())


def _functions() -> Iterator[tuple[str, Callable[..., Any]]]:
    for module in modules():
        room = module.__name__.removeprefix("openapi_mcp_server.")
        if not room.startswith(ROOMS):
            continue
        for name, value in vars(module).items():
            function = inspect.unwrap(value) if callable(value) and not inspect.isclass(value) else None
            if (
                inspect.isfunction(function)
                and function.__module__ == module.__name__
                and not inspect.iscoroutinefunction(function)
                and not inspect.isasyncgenfunction(function)
            ):
                yield f"{room}.{name}", function

"""The paths of a document: operations with the values of their path and of the document merged in."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from typing import Generic

import msgspec

from openapi_mcp_server.errors import SpecError, fault_of
from openapi_mcp_server.grammar import is_token
from openapi_mcp_server.openapi.model import Operation, Parameter, SecurityChoice, SkippedOperation
from openapi_mcp_server.openapi.notes import clipped
from openapi_mcp_server.openapi.pointers import ROOT, child
from openapi_mcp_server.openapi.reading import fields, path_keys, security, servers
from openapi_mcp_server.openapi.reading.dialect import D, Declaration, Dialect, Source
from openapi_mcp_server.openapi.reading.objects import (
    NOTHING,
    OperationObject,
    Raws,
    Tag,
    Text,
    is_there,
    read,
    read_list,
    read_map,
    read_text,
    reader,
    written,
)
from openapi_mcp_server.openapi.reading.parameters import RESERVED_HEADERS
from openapi_mcp_server.openapi.reading.path_keys import PathKey
from openapi_mcp_server.openapi.reading.shared_parts import SharedParts, parts_of
from openapi_mcp_server.openapi.reading.strays import stray
from openapi_mcp_server.openapi.references.resolve import Located, opened

PATH_CHARACTERS = 8_000
"""The length that RFC 9112 section 3 recommends for a whole request line. Every place below a path contains its key: a
key of 200 kB with 500 parameters took 100 MB."""

MAX_SHARED_OVERRIDES = 4 * 1024
"""The most bytes of ``x-mcp`` or ``x-mcp-scopes`` that hold for several operations, since each operation reads them
again. 100 kB took 900 MB."""

TAG_LEVELS = 20
"""The most parents of a tag that count for its operations. With thousands of them, the search took 7 s to index 160
kB."""

_OF_OPERATIONS = frozenset({"responses", "operationId", "requestBody"})
"""Fields that only operations have, and no other object in a path item."""

_ANY_METHOD = "x-amazon-apigateway-any-method"
_NO_METHOD = f"{_ANY_METHOD} does not say which methods the API takes; an overlay can copy it to each of them"

_tags = reader(list[Tag])
_operation = reader(OperationObject)

Overrides = dict[str, msgspec.Raw]
"""The fields of an ``x-mcp`` object."""


class _Shared(msgspec.Struct, Generic[D], frozen=True, gc=False):
    """The values that the operations of one path have in common."""

    key: PathKey
    declarations: tuple[D, ...]
    servers: tuple[str, ...]
    overrides: Overrides
    encoded_overrides: msgspec.Raw
    summary: str
    description: str


class PathReader(Generic[D]):
    """Reads the Paths Object of one document."""

    def __init__(self, dialect: Dialect[D], source: Source, max_operations: int) -> None:
        self.operations: list[Operation] = []
        self.skipped: list[SkippedOperation] = []
        self.callbacks = 0
        self._counts = SharedParts(len(source.document.json), max_operations)
        self._named: dict[str, tuple[str, str]] = {}
        self._misnamed: dict[str, str] = {}
        self._dialect = dialect
        self._references = source.references
        self._notes = source.notes
        self._max_operations = max_operations
        self._version = source.document.dialect
        self._security = self._security_of_all(source.at("security"))
        self._overrides = source.spared(_shared_overrides, source.at("x-mcp"), "extension_ignored") or {}
        self._overrides |= _shared_scopes(source.at("x-mcp-scopes"))
        tags = source.spared(_read_tags, source.at("tags"), "info_dropped") if self._version == "3.2" else None
        self._tag_parents = {written(tag.name): written(tag.parent) for tag in tags or () if tag.parent is not None}

    def read(self, declared: Mapping[str, msgspec.Raw], home: str = "paths") -> None:
        """Reads all paths of a field of the root; raises SpecError if they have too many operations."""
        for key, value in declared.items():
            if len(key) > PATH_CHARACTERS:
                problem = f"its path has {len(key):,} characters; {PATH_CHARACTERS:,} are read"
                self._skip(SpecError(child(ROOT, home), problem), "*", clipped(key))
            elif not key.startswith("x-"):
                self._path(key, Located(child(ROOT, home, key), value), is_taken=f"/{key}" in declared)

    def _path(self, key: str, at: Located, *, is_taken: bool) -> None:
        self._counts.require_few_fields()
        try:
            item = self._item(at)
            found = list(self._operations_of(item))
            self._tell_of_others(key, item)
        except Exception as error:  # noqa: BLE001 - one path costs only itself
            self._skip(fault_of(error, at.pointer), "*", key)
            return
        shared = self._shared_or_fault(key, at, item, is_taken=is_taken)
        for path, method, place in found:
            self._require_room()
            try:
                self.operations.append(self._operation(method, place, child(at.pointer, *path), shared))
            except Exception as error:  # noqa: BLE001 - one operation costs only itself
                self._skip(fault_of(error, place.pointer), method, key)

    def _item(self, at: Located) -> dict[str, Located]:
        """The fields of a path item with their places. Fields beside a ``$ref`` win over those of its target."""
        declared = read_map(at)
        self._counts.fields += len(declared)
        own = {name: at.member(value, name) for name, value in declared.items()}
        if own.pop("$ref", None) is None:
            return own
        target = self._references.resolve(at).target
        if wrong := stray(at, target, "path item"):
            raise SpecError(at.pointer, wrong)
        self._counts.require_few_repeated(at, target)
        beyond = read_map(target)
        self._counts.fields += len(beyond)
        return {name: target.member(value, name) for name, value in beyond.items()} | own

    def _operations_of(self, item: Mapping[str, Located]) -> Iterator[tuple[tuple[str, ...], str, Located]]:
        """(path in the item, method, place) of each operation; raises SpecError."""
        for name, place in item.items():
            if name in self._dialect.methods:
                yield (name,), name.upper(), place
            elif name.lower() in self._dialect.methods and name.lower() not in item:
                self._notes.add(place.pointer, "path_repaired", f"{name!r} was taken for the method {name.lower()!r}")
                yield (name,), name.upper(), place
            elif name == "additionalOperations" and self._version == "3.2":
                additional = read_map(place)
                self._counts.fields += len(additional)
                for method, value in additional.items():
                    if self._is_additional(method, place.member(value, method), item):
                        yield (name, method), method, place.member(value, method)

    def _is_additional(self, method: str, place: Located, item: Mapping[str, Located]) -> bool:
        """Whether an additional operation counts: methods with a field of their own must use it (3.2, Path Item
        Object)."""
        if method != method.upper() or (field := method.lower()) not in self._dialect.methods:
            return True
        if field in item:
            self._notes.add(place.pointer, "field_unknown", f"{field!r} describes the same method; that was taken")
            return False
        self._notes.add(place.pointer, "path_repaired", f"{method!r} was taken for the field {field!r} of the path")
        return True

    def _tell_of_others(self, key: str, item: Mapping[str, Located]) -> None:
        """Notes fields that are no methods; an operation under such a name is listed as skipped."""
        if _ANY_METHOD in item:
            self._skip(SpecError(item[_ANY_METHOD].pointer, _NO_METHOD), "*", key)
        for name in fields.unknown(item, fields.PATH_ITEM, self._version):
            place = item[name]
            if name.lower() in self._dialect.methods and name.lower() not in item:
                continue
            if (problem := self._misnamed.get(name)) is None:  # many paths may refer to one item
                problem = self._misnamed[name] = fields.misnamed(name, fields.PATH_ITEM, self._version)
            members = opened(place.json)
            if isinstance(members, dict) and _OF_OPERATIONS & members.keys():
                self._skip(SpecError(place.pointer, problem), name.upper(), key)
            else:
                self._notes.add(place.pointer, "field_unknown", problem)

    def _shared_or_fault(
        self, key: str, at: Located, item: Mapping[str, Located], *, is_taken: bool
    ) -> _Shared[D] | SpecError:
        """The values that operations share, or the fault of their path, which counts for each of them."""
        if is_taken:
            return SpecError(at.pointer, f"{key!r} with its slash is a path of its own")
        try:
            return self._shared(key, at, item)
        except Exception as error:  # noqa: BLE001 - one path costs only itself
            return fault_of(error, at.pointer)

    def _shared(self, key: str, at: Located, item: Mapping[str, Located]) -> _Shared[D]:
        self._counts.require_few_parts(at.pointer)
        nothing = at.member(NOTHING)
        parameters = item.get("parameters", nothing)
        overrides = self._overrides | _shared_overrides(item.get("x-mcp", nothing))
        overrides |= _shared_scopes(item.get("x-mcp-scopes", nothing))
        return _Shared(
            key=path_keys.parsed(key, at.pointer, self._notes),
            declarations=self._declarations(read_list(parameters), parameters),
            servers=servers.own(read_list(item.get("servers", nothing)), child(at.pointer, "servers"), self._notes),
            overrides=overrides,
            encoded_overrides=msgspec.Raw(msgspec.json.encode(overrides)),
            summary=_prose(item, "summary"),
            description=_prose(item, "description"),
        )

    def _operation(self, method: str, at: Located, pointer: str, shared: _Shared[D] | SpecError) -> Operation:
        if isinstance(shared, SpecError):
            raise shared.kept() from shared
        _require_method(method, pointer)
        self._counts.require_few_parts(pointer)
        declared = read(_operation, at)
        fields.note(read_map(at), fields.OPERATION, self._version, at.pointer, self._notes)
        self.callbacks += len(declared.callbacks or ())
        own = self._declarations(declared.parameters, at.member(NOTHING, "parameters"))
        declarations = {_identity(each): each for each in (*shared.declarations, *own)}
        parts = self._dialect.parts(declared, at, list(declarations.values()))
        key = path_keys.named(shared.key, parts.parameters, pointer, self._notes)
        summary, description = written(declared.summary), written(declared.description)
        if not summary and not description:  # those of the path are meant for all of its operations (Path Item Object)
            summary, description = shared.summary, shared.description
        made = Operation(
            pointer=pointer,
            method=method,
            path=key.path,
            query=key.query,
            operation_id=self._name(declared, at, f"{method} {key.path}") or None,
            summary=summary,
            description=description,
            tags=self._tags(declared.tags or ()),
            deprecated=declared.deprecated is True,
            parameters=path_keys.fitted(self._sendable(parts.parameters), key, pointer, self._notes),
            body=parts.body,
            responses=parts.responses,
            security=self._choices(declared, at),
            servers=parts.servers or shared.servers,
            overrides=_with_own(shared, at.member(declared.overrides, "x-mcp"), declared.scopes),
            written="" if key.written == key.path else key.written,
        )
        inherited = max(len(shared.declarations), len(made.parameters) - len(own))  # by the path, also undeclared
        self._counts.parts += inherited + parts_of(made) + len(made.servers) * len(self._dialect.servers)
        return made

    def _declarations(self, declared: Raws, at: Located) -> tuple[D, ...]:
        """The parameters of a list at ``at``. Of two with the same name and location, the last counts."""
        found: dict[tuple[str, str], D] = {}
        self._counts.parts += len(declared or ())
        for index, value in enumerate(declared or ()):
            if not is_there(value):  # a dash of YAML with nothing behind it
                self._notes.add(child(at.pointer, index), "parameter_dropped", "is null")
                continue
            each = self._dialect.declaration(at.member(value, index))
            identity = _identity(each)
            if identity in found:
                message = f"{each.location} parameter {each.name!r} is declared twice; the last one counts"
                self._notes.add(child(at.pointer, index), "parameter_repeated", message)
            found[identity] = each
        return tuple(found.values())

    def _name(self, declared: OperationObject, at: Located, shown: str) -> str:
        """The operationId, which is unique among all operations (Operation Object); ``shown`` is method and path."""
        name = written(declared.operation_id)
        pointer, first = self._named.setdefault(name, (at.pointer, shown)) if name else (at.pointer, shown)
        if pointer != at.pointer:
            self._notes.add(child(at.pointer, "operationId"), "name_repeated", f"{name!r} is also that of {first}")
        return name

    def _sendable(self, parameters: Sequence[Parameter]) -> Iterator[Parameter]:
        """The parameters that can be sent, but only the last of several querystrings, since one is the whole query
        (3.2, Parameter Locations)."""
        whole = [each for each in parameters if each.location == "querystring"]
        for each in whole[:-1]:
            self._notes.add(each.pointer, "parameter_repeated", "another querystring; the last one counts")
        if whole and any(each.location == "query" for each in parameters):
            message = "a querystring is the whole query; the query parameters beside it are sent with it"
            self._notes.add(whole[-1].pointer, "parameter_repaired", message)
        for parameter in parameters:
            if parameter in whole[:-1]:
                continue
            if parameter.location == "header" and parameter.name.lower() in RESERVED_HEADERS:
                message = f"{parameter.name} is no parameter: it belongs to media types and security"
                self._notes.add(parameter.pointer, "parameter_dropped", message)
            else:
                yield parameter

    def _security_of_all(self, at: Located) -> tuple[SecurityChoice, ...] | SpecError:
        """The security of operations without their own. A fault counts for every such operation."""
        try:
            return self._read_choices(read_list(at), at.pointer)
        except SpecError as error:
            return error.kept()

    def _choices(self, declared: OperationObject, at: Located) -> tuple[SecurityChoice, ...]:
        if declared.security is not None:
            return self._read_choices(declared.security, child(at.pointer, "security"))
        if isinstance(self._security, SpecError):
            raise self._security.kept() from self._security
        return self._security

    def _read_choices(self, declared: Raws, pointer: str) -> tuple[SecurityChoice, ...]:
        references = self._references if self._version == "3.2" else None
        return security.choices(declared, pointer, self._dialect.security_schemes, self._notes, references)

    def _tags(self, declared: Sequence[Text]) -> tuple[str, ...]:
        """An operation's tags and their parents (3.2, Tag Object, ``parent``)."""
        tags = [written(tag) for tag in declared]
        found = dict.fromkeys(tags)
        for tag in tags:
            above = self._tag_parents.get(tag)
            for _ in range(TAG_LEVELS):
                if above is None or above in found:
                    break
                found[above] = None
                above = self._tag_parents.get(above)
        return tuple(found)

    def _skip(self, error: SpecError, method: str, key: str) -> None:
        self._require_room()
        reason = clipped(error.problem)
        self.skipped.append(SkippedOperation(pointer=error.pointer, method=method, path=key, reason=reason))

    def _require_room(self) -> None:
        if len(self.operations) + len(self.skipped) >= self._max_operations:
            raise SpecError(child(ROOT, "paths"), f"more than {self._max_operations:,} operations")


def _identity(declaration: Declaration) -> tuple[str, str]:
    """The key by which a parameter is unique (Parameter Object). Header names ignore case (RFC 9110 section 5.1)."""
    name = declaration.name.lower() if declaration.location == "header" else declaration.name
    return name, declaration.location


def _require_method(method: str, pointer: str) -> None:
    """Raises SpecError for an invalid method, which only ``additionalOperations`` (3.2) can have."""
    if not is_token(method):
        raise SpecError(pointer, f"{method!r} is not an HTTP method (RFC 9110 section 9.1)")
    if method == "CONNECT":
        raise SpecError(pointer, "CONNECT asks for a tunnel and describes no operation")


def _read_tags(at: Located) -> list[Tag]:
    return read(_tags, at) if is_there(at.json) else []


def _shared_overrides(at: Located) -> Overrides:
    _require_short(at)
    return read_map(at)


def _shared_scopes(at: Located) -> Overrides:
    """The shared scopes. A fault is raised: if it were ignored, callers without the scopes would see the operations."""
    _require_short(at)
    return _scopes(at.json)


def _require_short(at: Located) -> None:
    size = memoryview(at.json).nbytes
    if size > MAX_SHARED_OVERRIDES:
        problem = f"has {size:,} bytes; what holds for several operations may have {MAX_SHARED_OVERRIDES:,}"
        raise SpecError(at.pointer, problem)


def _scopes(value: msgspec.Raw) -> Overrides:
    """``x-mcp-scopes`` as a field of ``x-mcp``, where it is inherited and overridden like the others. If it cannot be
    read there, the operation is not served."""
    return {"scopes": value} if is_there(value) else {}


def _prose(item: Mapping[str, Located], field: str) -> str:
    """A text of a path item; empty if it is something else."""
    try:
        return read_text(item[field])
    except (KeyError, SpecError):
        return ""


def _with_own(shared: _Shared[D], at: Located, scopes: msgspec.Raw) -> msgspec.Raw:
    """The overrides of an operation, encoded; most operations have none of their own."""
    own = read_map(at) | _scopes(scopes)
    return msgspec.Raw(msgspec.json.encode(shared.overrides | own)) if own else shared.encoded_overrides

"""Dynamic references: a schema's meaning depends on the schemas that led to it (2020-12 core, section 8.2.3.2).

The target is in the outermost of those schemas that has the anchor. A definition that leads to a dynamic reference is
copied for each set of anchors that it is reached with; `Schemas` gives each copy a name.
"""

from __future__ import annotations

import hashlib
import re
from collections.abc import Mapping

import msgspec

from openapi_mcp_server.errors import SpecError
from openapi_mcp_server.openapi.references.resolve import Located, References

MOST_COPIES = 200
"""The most copies of definitions in one direction of a document, since each set of anchors could double them."""
_DYNAMIC = (b'"$dynamicRef"', b'"$recursiveRef"')
_REFERENCE = re.compile(rb'"\$(?:ref|dynamicRef)":("(?:[^"\\]|\\.)*")')

Scope = Mapping[str, str]
"""Anchors with the pointers of their schemas; the name of ``$recursiveAnchor`` is empty."""
NO_SCOPE: Scope = {}


class DynamicScopes:
    """The targets of anchors in the schemas of one document."""

    def __init__(self, references: References) -> None:
        self._references = references
        self._leads: dict[str, bool] = {}
        self._copies: set[tuple[str, str]] = set()

    def within(self, scope: Scope, target: Located) -> Scope:
        """The scope within a schema that is reached with the outer ``scope``."""
        own = self._references.dynamic_anchors(target)
        return {**own, **scope} if own else scope

    def mark(self, scope: Scope, target: Located) -> str:
        """The end of a definition's name, different for each scope; empty if the scope does not matter."""
        if not scope or self.within(scope, target) == self._references.dynamic_anchors(target):
            return ""
        if not self._leads_to_dynamic(target):
            return ""
        mark = "." + hashlib.blake2b(msgspec.json.encode(sorted(scope.items())), digest_size=5).hexdigest()
        if len(self._copies) < MOST_COPIES:
            self._copies.add((target.pointer, mark))
        return mark if (target.pointer, mark) in self._copies else ""

    def meant(self, reference: str, scope: Scope) -> Located | None:
        """The target of a dynamic reference in a scope; None if only the document decides it."""
        pointer = scope.get(reference.partition("#")[2])
        return None if pointer is None else self._references.at(pointer)

    def _leads_to_dynamic(self, target: Located) -> bool:
        known = self._leads.get(target.pointer)
        if known is None:
            known = self._leads[target.pointer] = self._finds_dynamic(target)
        return known

    def _finds_dynamic(self, target: Located) -> bool:
        waiting, seen = [target], {target.pointer}
        while waiting:
            each = waiting.pop()
            text = bytes(each.json)
            if any(word in text for word in _DYNAMIC):
                return True
            for found in _REFERENCE.findall(text):
                try:
                    beyond = self._references.find(msgspec.json.decode(found), Located("", msgspec.Raw(), each.base))
                except SpecError:
                    continue
                if beyond.pointer not in seen:
                    seen.add(beyond.pointer)
                    waiting.append(beyond)
        return False

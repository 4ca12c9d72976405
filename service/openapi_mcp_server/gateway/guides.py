"""Prompts, resources and completion: all that people and clients learn about the tools beside their list."""

from __future__ import annotations

from contextlib import suppress

from openapi_mcp_server.bridge import guide, prompts
from openapi_mcp_server.bridge.model import ApiSummary, Tool
from openapi_mcp_server.errors import ArgumentError
from openapi_mcp_server.gateway.draft import Draft
from openapi_mcp_server.gateway.serving import Serving
from openapi_mcp_server.gateway.views import CatalogViews, View, denied, unknown_name
from openapi_mcp_server.mcp import answers
from openapi_mcp_server.mcp.inbound import Call, Rejection
from openapi_mcp_server.mcp.messages import INVALID_PARAMS, Pieces, response, result


class Guides:
    def __init__(self, serving: Serving, views: CatalogViews) -> None:
        self._serving = serving
        self._views = views

    def resource(self, call: Call, draft: Draft, view: View) -> Pieces | None:
        """None for an unknown resource, which is refused."""
        place = guide.place(call.name) if call.method == "resources/read" else None
        told = self._told(place, draft, view) if place else None
        if told is None:
            return None
        kind, text = told
        read = answers.contents(call.name, kind, text, self._serving.identity(call), private=self._serving.private)
        return response(call.id, read)

    def _told(self, place: guide.GuidePlace, draft: Draft, view: View) -> tuple[str, str] | None:
        """The media type of a resource and its text."""
        api = next((each for each in view.apis if each.name == place.api), None)
        if api is None:
            return None
        match place.kind:
            case "overview":
                return "text/markdown", self._overview(view, place.api)
            case "document":
                return _document(api, view)
            case _:
                with suppress(ArgumentError):
                    return "text/plain", self._explained(place.operation, draft, view)
                return None

    def completion(self, call: Call, view: View) -> Pieces | Rejection | None:
        """None if nothing is known about the argument. An unknown prompt is refused (MCP, Completion, Error Handling),
        and so is a resource that is neither listed nor a template's."""
        if call.method != "completion/complete":
            return None
        try:
            asked = guide.completing(call.arguments)
        except ArgumentError as error:
            return Rejection(id=call.id, code=INVALID_PARAMS, message=str(error), status=200)
        prompt = asked.prompt
        if isinstance(asked.ref, guide.ResourceReference) and not _has_place(asked.ref.uri, view):
            templates = [each["uriTemplate"] for each in guide.templates(view.apis)]
            return unknown_name(call, "resource template", asked.ref.uri, templates)
        if not (prompt is None or _is_guided(prompt, view) or _prompted(prompt, view)):
            return _unknown_prompt(call, prompt, view)
        values = guide.completions(asked, view.tools, None if prompt is None else _prompted(prompt, view))
        return (
            response(call.id, answers.completion(values, guide.VALUES, self._serving.identity(call)))
            if values
            else None
        )

    def prompt(self, call: Call, draft: Draft, view: View) -> Pieces | Rejection:
        if _is_guided(call.name, view):
            return self._guided(call, draft, view)
        tool = _prompted(call.name, view)
        if tool is None:
            return _unknown_prompt(call, call.name, view)
        try:
            made = prompts.messages(tool, call.arguments)
        except ArgumentError as error:  # a prompt has no way to carry an error: the person, not a model, chose these
            return Rejection(id=call.id, code=INVALID_PARAMS, message=str(error), status=200)
        return response(call.id, result(made, self._serving.identity(call)))

    def _guided(self, call: Call, draft: Draft, view: View) -> Pieces | Rejection:
        """One of the prompts for the whole API."""
        try:
            wanted = guide.wanted(call.name, prompts.given(call.arguments))
            match call.name:
                case guide.OVERVIEW:
                    said = f"Tell me what can be done with this:\n\n{self._overview(view)}"
                case guide.EXPLAIN:
                    said = f"Explain this operation, and show a call of it:\n\n{self._explained(wanted, draft, view)}"
                case _:
                    said = guide.task(wanted, searched=view.offer is not None)
        except ArgumentError as error:
            return Rejection(id=call.id, code=INVALID_PARAMS, message=str(error), status=200)
        return response(call.id, result(guide.result(call.name, said), self._serving.identity(call)))

    def _overview(self, view: View, api: str = "") -> str:
        from openapi_mcp_server.bridge.search import mode  # noqa: PLC0415 - its tables take 20 ms

        offer = view.offer or mode.offer(view.tools, view.skipped)
        apis = [each for each in view.apis if not api or each.name == api]
        return guide.overview(apis, view.tools, {each.name: mode.areas(offer, each.name) for each in apis})

    def _explained(self, name: str, draft: Draft, view: View) -> str:
        """Raises ArgumentError for an operation that the caller may not call."""
        from openapi_mcp_server.bridge.search import mode  # noqa: PLC0415 - its tables take 20 ms

        offer = view.offer or mode.offer(view.tools, view.skipped)
        try:
            return mode.describe(offer, name)
        except ArgumentError:
            draft.denied = denied(self._views.served, offer, name)
            raise


def _has_place(uri: str, view: View) -> bool:
    """Whether it is the URI of a resource, or a template, of an API that the caller may know."""
    place = guide.place(uri)
    return place is not None and any(place.api == api.name for api in view.apis)


def _is_guided(prompt: str, view: View) -> bool:
    """Whether it is one of the prompts for the whole API."""
    return view.has_guide and prompt in guide.NAMES


def _prompted(prompt: str, view: View) -> Tool | None:
    """The tool of a prompt. The tool's own name is accepted as the prompt's name, too, though it is not listed."""
    return view.prompts.get(prompt) or (view.tools.get(prompt) if view.prompts else None)


def _unknown_prompt(call: Call, prompt: str, view: View) -> Rejection:
    return unknown_name(call, "prompt", prompt, guide.NAMES if view.has_guide else view.prompts)


def _document(api: ApiSummary, view: View) -> tuple[str, str] | None:
    from openapi_mcp_server.bridge.search.document import MEDIA_TYPE, document, with_document  # noqa: PLC0415 - few ask for it

    own = [tool for tool in view.tools.values() if tool.api == api.name]
    return (MEDIA_TYPE, document(api, own)) if with_document((api,), view.tools) else None

"""Prompts, resources and completion: what people and clients are told of the tools beside their list."""

from __future__ import annotations

from contextlib import suppress

from openapi_mcp_server.bridge import guide, prompts
from openapi_mcp_server.bridge.model import ApiSummary
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
        """None for what is no resource of ours, which is refused like any other that is not there."""
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
        """None where nothing is known of the argument."""
        if call.method != "completion/complete":
            return None
        try:
            asked = guide.completing(call.arguments)
        except ArgumentError as error:
            return Rejection(id=call.id, code=INVALID_PARAMS, message=str(error), status=200)
        values = guide.completions(asked, view.tools, view.prompts)
        return (
            response(call.id, answers.completion(values, guide.VALUES, self._serving.identity(call)))
            if values
            else None
        )

    def prompt(self, call: Call, draft: Draft, view: View) -> Pieces | Rejection:
        """A prompt may be asked for by the tool's own name too, though none is listed so."""
        if view.has_guide and call.name in guide.NAMES:
            return self._guided(call, draft, view)
        tool = view.prompts.get(call.name) or (view.tools.get(call.name) if view.prompts else None)
        if tool is None:
            return unknown_name(call, "prompt", guide.NAMES if view.has_guide else view.prompts)
        try:
            made = prompts.messages(tool, call.arguments)
        except ArgumentError as error:  # a prompt has no way to carry an error: the person, not a model, chose these
            return Rejection(id=call.id, code=INVALID_PARAMS, message=str(error), status=200)
        return response(call.id, result(made, self._serving.identity(call)))

    def _guided(self, call: Call, draft: Draft, view: View) -> Pieces | Rejection:
        """One of the prompts for the whole API."""
        try:
            wanted = guide.wanted(call.name, guide.given(call.arguments))
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

        offer = view.offer or mode.offer(view.tools)
        apis = [each for each in view.apis if not api or each.name == api]
        return guide.overview(apis, view.tools, {each.name: mode.areas(offer, each.name) for each in apis})

    def _explained(self, name: str, draft: Draft, view: View) -> str:
        """Raises ArgumentError for an operation that the caller does not have."""
        from openapi_mcp_server.bridge.search import mode  # noqa: PLC0415 - its tables take 20 ms

        offer = view.offer or mode.offer(view.tools)
        draft.denied = denied(self._views.served, offer, name)
        return mode.describe(offer, self._views.served.catalog, draft.permit, name)


def _document(api: ApiSummary, view: View) -> tuple[str, str] | None:
    from openapi_mcp_server.bridge.search.document import MEDIA_TYPE, document, with_document  # noqa: PLC0415 - few ask for it

    own = [tool for tool in view.tools.values() if tool.api == api.name]
    return (MEDIA_TYPE, document(api, own)) if with_document((api,), view.tools) else None

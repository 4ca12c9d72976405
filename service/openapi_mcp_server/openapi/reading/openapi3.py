"""OpenAPI 3.0, 3.1 and 3.2."""

from __future__ import annotations

from collections.abc import Sequence

from openapi_mcp_server.openapi.model import Parameter, SecurityScheme
from openapi_mcp_server.openapi.pointers import ROOT, child
from openapi_mcp_server.openapi.reading import security, servers
from openapi_mcp_server.openapi.reading.dialect import OperationParts, Source, request_schemas, response_schemas
from openapi_mcp_server.openapi.reading.fields import METHODS
from openapi_mcp_server.openapi.reading.media import BodyReader, ResponseReader
from openapi_mcp_server.openapi.reading.objects import NOTHING, OperationObject, is_there, read_list, read_map
from openapi_mcp_server.openapi.reading.parameters import ParameterReader
from openapi_mcp_server.openapi.references.resolve import Located


class OpenApi3:
    """See `openapi_mcp_server.openapi.reading.dialect.Dialect`."""

    def __init__(self, source: Source) -> None:
        references, notes = source.references, source.notes
        self.methods = METHODS | ({"trace", "query"} if source.document.dialect == "3.2" else {"trace"})
        self.request = request_schemas(source, "#/components/schemas")
        self.response = response_schemas(source, "#/components/schemas")
        declared = source.spared(read_list, source.at("servers"), "server_dropped")
        self.servers = servers.urls(declared, child(ROOT, "servers"), notes)
        self.security_schemes = _security_schemes(source)
        self._notes = notes
        self._parameters = ParameterReader(references, self.request, notes)
        self._bodies = BodyReader(references, self.request, self._parameters, notes)
        self._responses = ResponseReader(references, self.response, notes, exact=source.exact_answers)

    def declaration(self, at: Located) -> Parameter:
        return self._parameters.parameter(at)

    def parts(self, operation: OperationObject, at: Located, declarations: Sequence[Parameter]) -> OperationParts:
        has_body = is_there(operation.request_body)
        body = self._bodies.body(at.member(operation.request_body, "requestBody")) if has_body else None
        responses = at.member(NOTHING, "responses")
        return OperationParts(
            parameters=tuple(declarations),
            body=body,
            responses=self._responses.responses(operation.responses or {}, responses),
            servers=servers.own(operation.servers, child(at.pointer, "servers"), self._notes),
        )


def _security_schemes(source: Source) -> dict[str, SecurityScheme]:
    at = source.at("components")
    components = source.spared(read_map, at, "security_dropped") or {}
    return security.schemes(at.member(components.get("securitySchemes", NOTHING), "securitySchemes"), source)

"""The lines in the log about the documents that were loaded."""

from __future__ import annotations

import logging

from openapi_mcp_server.bridge import security
from openapi_mcp_server.bridge.model import ToolCatalog
from openapi_mcp_server.bridge.search.names import MOST_TOOLS, is_searched, seen_tokens
from openapi_mcp_server.documents import policies
from openapi_mcp_server.documents.configured import address_rule
from openapi_mcp_server.settings.config import Config

_FOR_THE_OPERATOR = frozenset({"overlay_unused", "override_unused", "base_url_doubtful"})
"""Notes about settings, not about the document."""

logger = logging.getLogger(__name__)


def report(config: Config, catalog: ToolCatalog) -> None:
    """Logs what became of the documents, a line each, and what a model will pay for the list."""
    for api in catalog.apis:
        skipped = sum(each.api == api.name for each in catalog.skipped)
        fields = {
            "api": api.name,
            "base": str(api.base),
            "tools": api.tools,
            "filtered": api.filtered,
            "skipped": skipped,
        }
        logger.info("loaded", extra={**fields, "notes": len(api.notes)})
        if problem := address_rule(config).url_problem(api.base.origin.scheme, api.base.origin.host):
            logger.warning("no call will reach this API: %s", problem, extra={"api": api.name})
        if not api.tools:
            logger.warning(
                "no operation became a tool: see INCLUDE_TAGS, EXCLUDE_TAGS, READ_ONLY, ALLOW_OPERATIONS, inspect",
                extra={"api": api.name},
            )
        for note in api.notes:
            level = logging.WARNING if note.kind in _FOR_THE_OPERATOR else logging.DEBUG
            logger.log(level, note.message, extra={"api": api.name, "pointer": note.pointer, "kind": note.kind})
    _report_security(catalog)
    for sentence in policies.idle(config, [tool.subject for tool in catalog.tools.values()]):
        logger.warning(sentence)
    for each in catalog.skipped:
        fields = {"api": each.api, "pointer": each.operation.pointer, "reason": each.operation.reason}
        logger.warning("operation skipped", extra=fields)
    _report_size(config, seen_tokens(catalog.tools.values()), len(catalog.tools))


def _report_size(config: Config, tokens: int, count: int) -> None:
    """Logs the tokens that a model pays for the list, if that is long."""
    fields = {"tokens": tokens, "budget": config.tool_budget_tokens}
    choose = "choose operations with INCLUDE_TAGS or ALLOW_OPERATIONS"
    if is_searched(config.tool_mode, tokens, config.tool_budget_tokens):
        logger.info("operations are searched instead of listed", extra=fields)
    elif tokens > config.tool_budget_tokens:
        problem = f"the tool list is large for a model; leave TOOL_MODE at auto, or {choose}"
        logger.warning(problem, extra=fields)
    elif count > MOST_TOOLS:
        problem = f"several clients take {MOST_TOOLS} tools at most; set TOOL_MODE=search, or {choose}"
        logger.info(problem, extra={"tools": count})


def _report_security(catalog: ToolCatalog) -> None:
    for api in catalog.apis:
        if problem := security.stranger(api.identity, api.security_schemes):
            logger.warning(problem, extra={"api": api.name})
        if api.unmet:
            problem = "operations ask for other credentials than are configured; they are tried; inspect lists them"
            logger.warning(problem, extra={"api": api.name, "unmet_security": api.unmet, "tools": api.tools})

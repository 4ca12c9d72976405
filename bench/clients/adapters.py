"""The adapters that are tried: the one table of their packages and versions.

A version is the newest of November 2026 that installs on Python 3.11 or Node 24. `mcp<2` stands where an adapter does
not bound it and does not import with it. What the packages bring along is held by the day (`environments.AS_OF`).
"""

import msgspec


class Adapter(msgspec.Struct, frozen=True):
    """``environment``: the folder below the cache. ``arguments``: what the runner is told. A runner's suffix says
    whether it is Python or JavaScript."""

    name: str
    environment: str
    packages: tuple[str, ...]
    runner: str
    arguments: tuple[str, ...] = ()


CREWAI = ("crewai-tools[mcp]==1.15.30",)
SMOLAGENTS = ("smolagents[mcp]==1.26.0", "mcp<2")
PYDANTIC_AI = ("pydantic-ai-slim[mcp,openai]==2.68.0",)
OPENAI_AGENTS = ("openai-agents==0.24.0",)
OPENAI_AGENTS_JS = ("@openai/agents@0.20.0",)
AGENT_FRAMEWORK = ("agent-framework-core==1.23.0", "mcp==2.3.0", "tenacity==9.2.1")
GOOGLE_ADK_JS = ("@google/adk@2.0.0", "@modelcontextprotocol/sdk@1.32.2")

ADAPTERS = (
    Adapter("fastmcp", "fastmcp", ("fastmcp==4.1.6",), "fastmcp_client.py"),
    Adapter("langchain", "langchain", ("langchain-mcp-adapters==0.3.2",), "langchain_client.py"),
    Adapter("openai-agents", "openai-agents", OPENAI_AGENTS, "openai_agents_client.py"),
    Adapter("openai-agents-strict", "openai-agents", OPENAI_AGENTS, "openai_agents_client.py", ("strict",)),
    Adapter("crewai", "crewai", CREWAI, "crewai_client.py"),
    Adapter("mcp-use", "mcp-use", ("mcp-use==1.7.1",), "mcp_use_client.py"),
    Adapter("llama-index", "llama-index", ("llama-index-tools-mcp==0.6.0",), "llama_index_client.py"),
    Adapter("semantic-kernel", "semantic-kernel", ("semantic-kernel[mcp]==1.45.0",), "semantic_kernel_client.py"),
    Adapter("autogen", "autogen", ("autogen-ext[mcp]==0.7.5", "mcp<2"), "autogen_client.py"),
    Adapter("smolagents", "smolagents", SMOLAGENTS, "smolagents_client.py"),
    Adapter("smolagents-tool-calling", "smolagents", SMOLAGENTS, "smolagents_client.py", ("tool-calling",)),
    Adapter("haystack", "haystack", ("mcp-haystack==2.1.1",), "haystack_client.py"),
    Adapter("dspy", "dspy", ("dspy[mcp]==3.4.1",), "dspy_client.py"),
    Adapter("pydantic-ai", "pydantic-ai", PYDANTIC_AI, "pydantic_ai_client.py"),
    Adapter("pydantic-ai-google", "pydantic-ai", PYDANTIC_AI, "pydantic_ai_client.py", ("google",)),
    Adapter("google-adk", "google-adk", ("google-adk[mcp]==2.13.0",), "google_adk_client.py"),
    Adapter("strands", "strands", ("strands-agents==1.62.0",), "strands_client.py"),
    Adapter("agno", "agno", ("agno==3.1.10", "fastmcp==4.1.6"), "agno_client.py"),
    Adapter("crewai-native", "crewai", CREWAI, "crewai_native_client.py"),
    Adapter("google-genai", "google-genai", ("google-genai==3.3.0", "mcp==2.3.0"), "google_genai_client.py"),
    Adapter("agent-framework", "agent-framework", AGENT_FRAMEWORK, "agent_framework_client.py"),
    Adapter("ai-sdk", "ai-sdk", ("ai@7.0.173", "@ai-sdk/mcp@2.0.99"), "ai_sdk_client.mjs"),
    Adapter("mastra", "mastra", ("@mastra/mcp@2.0.0", "@mastra/core@1.71.0"), "mastra_client.mjs"),
    Adapter(
        "langchain-js",
        "langchain-js",
        ("@langchain/mcp-adapters@1.1.4", "@langchain/core@1.4.0"),
        "langchain_js_client.mjs",
    ),
    Adapter("openai-agents-js", "openai-agents-js", OPENAI_AGENTS_JS, "openai_agents_js_client.mjs"),
    Adapter(
        "openai-agents-js-strict", "openai-agents-js", OPENAI_AGENTS_JS, "openai_agents_js_client.mjs", ("strict",)
    ),
    Adapter("genkit", "genkit", ("@genkit-ai/mcp@1.42.0", "genkit@1.42.0"), "genkit_client.mjs"),
    Adapter(
        "llamaindex-js", "llamaindex-js", ("@llamaindex/tools@0.2.1", "llamaindex@0.12.1"), "llamaindex_js_client.mjs"
    ),
    Adapter("voltagent", "voltagent", ("@voltagent/core@2.10.0", "ai@6.0.326"), "voltagent_client.mjs"),
    Adapter("strands-js", "strands-js", ("@strands-agents/sdk@1.19.0",), "strands_js_client.mjs"),
    Adapter("google-adk-js", "google-adk-js", GOOGLE_ADK_JS, "google_adk_js_client.mjs"),
)

"""The one client for OpenAI-compatible URLs: retries, adaptive concurrency, record and replay, budget and cost.

The client itself is imported when it is asked for: whoever plays local models needs neither openai nor HTTP.
"""

from importlib import import_module
from typing import TYPE_CHECKING, Any

from agentrefine_lib.endpoint.budget import Budget, BudgetExceededError
from agentrefine_lib.endpoint.failures import EmptyAnswerError, EndpointError
from agentrefine_lib.endpoint.prices import estimate, load_prices
from agentrefine_lib.endpoint.recording import NotRecordedError
from agentrefine_lib.endpoint.request import Completion, EndpointSettings, seed_of

if TYPE_CHECKING:
    from agentrefine_lib.endpoint.client import Endpoint
    from agentrefine_lib.endpoint.embeddings import embed_by_endpoint


def __getattr__(name: str) -> Any:
    modules = {"Endpoint": "client", "embed_by_endpoint": "embeddings"}
    if name not in modules:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    return getattr(import_module(f"{__name__}.{modules[name]}"), name)

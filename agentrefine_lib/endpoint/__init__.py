"""The one client for OpenAI-compatible URLs: retries, adaptive concurrency, record and replay, budget and cost."""

from agentrefine_lib.endpoint.budget import Budget, BudgetExceededError, Usage
from agentrefine_lib.endpoint.client import Endpoint, Statistics
from agentrefine_lib.endpoint.embeddings import embed_by_endpoint
from agentrefine_lib.endpoint.failures import EmptyAnswerError, EndpointError
from agentrefine_lib.endpoint.prices import Estimate, Price, PriceError, estimate, load_prices, price_of
from agentrefine_lib.endpoint.recording import NotRecordedError
from agentrefine_lib.endpoint.request import Completion, EndpointSettings, seed_of

__all__ = [
    "Budget",
    "BudgetExceededError",
    "Completion",
    "EmptyAnswerError",
    "Endpoint",
    "EndpointError",
    "EndpointSettings",
    "Estimate",
    "NotRecordedError",
    "Price",
    "PriceError",
    "Statistics",
    "Usage",
    "embed_by_endpoint",
    "estimate",
    "load_prices",
    "price_of",
    "seed_of",
]

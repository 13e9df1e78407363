"""What tokens cost, and what a run will cost before its first request."""

import math
from collections.abc import Mapping
from datetime import date
from pathlib import Path

import yaml
from pydantic import Field, TypeAdapter, ValidationError

from agentrefine_lib.endpoint.failures import EndpointError
from agentrefine_lib.endpoint.request import EndpointSettings
from agentrefine_lib.schema import Record, explain

LATENCY_S = 10.0  # of one call, assumed: a teacher writes some hundred tokens


class Price(Record):
    """One entry of the price list, in US dollars a million tokens."""

    input: float = Field(ge=0)
    output: float = Field(ge=0)
    date: date  # when the source said so
    source: str
    note: str = ""

    def of(self, prompt_tokens: int, completion_tokens: int) -> float:
        """US dollars."""
        return (prompt_tokens * self.input + completion_tokens * self.output) / 1e6


class PriceError(EndpointError):
    """The price list cannot be read, or money counts and it does not name the model."""


Prices = Mapping[str, Price]
_PRICES = TypeAdapter(dict[str, Price])


def load_prices(path: Path | str) -> dict[str, Price]:
    """Read ``params/prices.yaml``: a mapping from model name to Price. Raises PriceError."""
    try:
        return _PRICES.validate_python(yaml.safe_load(Path(path).read_text(encoding="utf-8")))
    except ValidationError as error:
        raise PriceError(f"{path}: {explain(error)}") from None
    except (yaml.YAMLError, ValueError, RecursionError) as error:  # also: no UTF-8, nested without end
        raise PriceError(f"{path}: not YAML: {error}") from None


def price_of(settings: EndpointSettings, prices: Prices) -> Price | None:
    """The entry that ``settings`` names, else the model's own, else "local" for a loopback URL; None when unknown."""
    names = [settings.price] if settings.price else [settings.model, *(["local"] if settings.is_local else [])]
    return next((prices[name] for name in names if name in prices), None)


def need_price(price: Price | None, model: str) -> Price:
    """The price, or a PriceError that says how to add it."""
    if price is None:
        mend = f"add {model!r} to params/prices.yaml, or limit tokens instead"
        raise PriceError(f"a money budget needs the price of {model!r}, which is unknown: {mend}")
    return price


def estimate(
    n_items: int,
    calls_per_item: float,
    prompt_tokens: float,
    completion_tokens: float,
    settings: EndpointSettings,
    prices: Prices,
) -> str:
    """What ``n_items`` will take, in a line. Tokens are those of one call, which lasts LATENCY_S."""
    requests = math.ceil(n_items * calls_per_item)
    read, written = math.ceil(requests * prompt_tokens), math.ceil(requests * completion_tokens)
    price = price_of(settings, prices)
    money = f"${price.of(read, written):,.2f}" if price else "cost unknown (no price for this model)"
    seconds = math.ceil(requests / settings.concurrency) * LATENCY_S
    time = f"{seconds / 60:,.1f} min" if seconds >= 60 else f"{seconds:.0f} s"
    time += f" at {LATENCY_S:.0f} s a call"
    return f"{requests:,} requests, {read:,} + {written:,} tokens (read + written), {money}, {time}"

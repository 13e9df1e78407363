"""What can go wrong with one attempt, what it means for the next one, and what people are told."""

from __future__ import annotations

import math
import re
import time
from collections import Counter
from collections.abc import Callable, Mapping
from email.utils import parsedate_to_datetime
from typing import NamedTuple

import httpx2  # the HTTP client under openai ≥ 3
import openai
from pydantic import ValidationError

Scrub = Callable[[str], str]
SECRET_CHARS = 8  # shorter keys are placeholders such as "EMPTY", which honest text may contain
OVERLOAD = ("rate_limit", "server_error", "timeout", "connection")  # the kinds that make the throttle cut
ADVICE = {
    401: "put a valid key into the environment variable {key_variable}",
    403: "use a key in {key_variable} that may use this model",
    404: "check the model's name and the URL, which ends in /v1 nearly everywhere",
    429: "the account behind {key_variable} is out of credit; top it up and run again",
}


class EndpointError(Exception):
    """A request has no answer. Says what happened, where, and what to do; never the key."""


class Failure(NamedTuple):
    """One failed attempt."""

    kind: str  # one of OVERLOAD; "garbage"; "format": ask for another format; "refused": trying again is useless
    detail: str
    status: int = 0
    wait_s: float = 0.0  # what the server asks for
    billed: bool = False  # the server may have done the work


def understand(error: Exception, scrub: Scrub) -> Failure:
    """Classify what an attempt raised; ``scrub`` takes the key out of what the server echoes."""
    if isinstance(error, TimeoutError | openai.APITimeoutError):
        return Failure("timeout", "no whole answer within timeout_s", billed=True)
    if isinstance(error, ValidationError):
        first = error.errors(include_url=False)[0]
        detail = f"no chat completion: {first['msg']}: {scrub(str(first['input']))[:300]}"
        return Failure("garbage", detail, billed=True)
    if isinstance(error, openai.APIStatusError):
        said = error.body.get("message") if isinstance(error.body, dict) else None
        status, wait_s = error.status_code, asked_wait(error.response.headers)
        detail = f"{status}: {scrub(str(said or error.response.text)).strip()[:300]}"
        if status == 429 and error.code != "insufficient_quota":
            return Failure("rate_limit", detail, status, wait_s)
        if status >= 500 or status in (408, 409, 425):
            return Failure("server_error", detail, status, wait_s)
        about_format = status == 400 and ("response_format" in detail or "json_schema" in detail)
        return Failure("format" if about_format else "refused", detail, status)
    cause = error.__cause__ or error
    detail = scrub(f"{type(cause).__name__}: {cause}")[:300]
    return Failure("connection", detail, billed=not isinstance(cause, httpx2.ConnectError))


def asked_wait(headers: Mapping[str, str]) -> float:
    """Seconds that a server asks to wait: ``retry-after-ms``, or ``Retry-After`` as seconds or as an HTTP date."""
    for name, seconds in (("retry-after-ms", 1e-3), ("retry-after", 1.0)):
        try:
            wait_s = float(headers[name]) * seconds
        except (KeyError, ValueError):
            continue
        return 0.0 if math.isnan(wait_s) else max(0.0, wait_s)
    try:
        return max(0.0, parsedate_to_datetime(headers["retry-after"]).timestamp() - time.time())
    except (KeyError, ValueError, OverflowError):
        return 0.0


def scrubber(key: str) -> Scrub:
    """A function that takes the key out of a text, also where a server put backslashes into it."""
    pattern = re.compile(r"\\*".join(map(re.escape, key)))
    return lambda text: pattern.sub("[key]", text) if len(key) >= SECRET_CHARS else text


def account(where: str, history: list[Failure], key_variable: str) -> str:
    """What to tell people about a request that failed for good."""
    last = history[-1]
    if last.kind in ("refused", "format"):
        advice = ADVICE.get(last.status, "change the request as the server says").format(key_variable=key_variable)
        return f"{where}: refused with {last.detail}. What to do: {advice}"
    kinds = ", ".join(f"{n} × {kind}" for kind, n in Counter(failure.kind for failure in history).items())
    asked = f"; the server asks to wait {last.wait_s:,.0f} s" if last.wait_s else ""
    return (
        f"{where}: no answer after {len(history)} attempts ({kinds}; last: {last.detail}{asked}). What to do: see that "
        "the server is up, lower concurrency, or raise retries, timeout_s or wait_max_s; then run again"
    )

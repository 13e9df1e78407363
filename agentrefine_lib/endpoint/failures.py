"""What can go wrong with one attempt, what it means for the next one, and what people are told."""

import math
import re
import time
from collections import Counter
from collections.abc import Callable, Mapping
from email.utils import parsedate_to_datetime
from typing import NamedTuple

from pydantic import ValidationError

from agentrefine_lib.endpoint.request import AT_LIMIT, Message
from agentrefine_lib.schema import Ending

Scrub = Callable[[str], str]
SECRET_CHARS = 8  # shorter keys are placeholders such as "EMPTY", which honest text may contain
OVERLOAD = ("rate_limit", "server_error", "timeout", "connection")  # the kinds that make the throttle cut
ABOUT_FORMAT = re.compile(r"response_format|json_schema|json_object|grammar|guided|structured|schema", re.IGNORECASE)
FILTERED = ("content_filter", "refusal")  # what a server gives as its reason to say nothing to one prompt
CHANGE = "change the request as the server says: temperature, max_tokens_name and extra are endpoint settings"
ADVICE = {
    401: "put a valid key into the environment variable {key_variable}",
    402: "the account behind {key_variable} is out of credit; top it up and run again",
    403: "use a key in {key_variable} that may use this model",
    404: "check the model's name and the URL, which ends in /v1 nearly everywhere",
    429: "the account behind {key_variable} is out of credit; top it up and run again",
}


class EndpointError(Exception):
    """A request has no answer. Says what happened, where, and what to do; never the key."""


class EmptyAnswerError(EndpointError):
    """A model that does answer has nothing to say to this prompt, however often it is asked; ``ending`` says why."""

    def __init__(self, told: str, ending: Ending) -> None:
        super().__init__(told)
        self.ending = ending


class Failure(NamedTuple):
    """One failed attempt."""

    kind: str  # one of OVERLOAD; "garbage"; "empty": an answer without text; "refused": trying again is useless
    detail: str
    status: int = 0
    wait_s: float = 0.0  # what the server asks for
    billed: bool = False  # the server may have done the work
    advice: str = ""  # what to do, where that is known
    ending: Ending | None = None  # of an answer without text
    about_format: bool = False  # the way that a schema was asked for may be at fault


def understand(error: Exception, scrub: Scrub) -> Failure:
    """Classify what an attempt raised; ``scrub`` takes the key out of what the server echoes."""
    import httpx2  # the HTTP client under openai ≥ 3; here: this module is imported where neither is installed
    import openai

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
        about_format = status in (400, 415, 422, 501) or (status >= 500 and ABOUT_FORMAT.search(detail) is not None)
        if status in (408, 409, 425) or (status >= 500 and status != 501):
            return Failure("server_error", detail, status, wait_s, about_format=about_format)
        return Failure("refused", detail, status, about_format=about_format)
    cause = error.__cause__ or error
    detail = scrub(f"{type(cause).__name__}: {cause}")[:300]
    return Failure("connection", detail, billed=not isinstance(cause, httpx2.ConnectError))


def no_text(message: Message, finish_reason: str | None, tokens: int | None, limit: int) -> Failure:
    """The failure that an answer without text is."""
    reason, written = "refusal" if message.refusal else finish_reason or "no finish_reason", tokens or 0
    cut = reason.lower() in AT_LIMIT or written >= limit
    instead = [name for name in ("reasoning_content", "reasoning", "tool_calls", "refusal") if getattr(message, name)]
    detail = f"an answer without text, {reason!r}, {written:,} of max_tokens={limit:,} tokens"
    if instead:
        detail += f", only {' and '.join(instead)}"
    advice = "see the server's chat template and its parser of reasoning"
    if cut:
        advice = "raise max_tokens: the model used all of it before its answer; or have it reason less with extra"
    elif reason in FILTERED:
        advice = "change the prompt, or ask a server that does not filter it"
    elif message.tool_calls:
        advice = "serve the model without tools: the suite offers none"
    return Failure("empty", detail, billed=True, advice=advice, ending=Ending(reason=reason, tokens=tokens, cut=cut))


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
    if last.kind == "refused":
        advice = ADVICE.get(last.status, CHANGE).format(key_variable=key_variable)
        return f"{where}: refused with {last.detail}. What to do: {advice}"
    kinds = ", ".join(f"{n} × {kind}" for kind, n in Counter(failure.kind for failure in history).items())
    asked = f"; the server asks to wait {last.wait_s:,.0f} s" if last.wait_s else ""
    advice = last.advice or "see that the server is up, lower concurrency, or raise retries, timeout_s or wait_max_s"
    told = f"{kinds}; last: {last.detail}{asked}"
    return f"{where}: no answer after {len(history)} attempts ({told}). What to do: {advice}"

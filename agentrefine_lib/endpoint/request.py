"""What is asked of an endpoint, under which key it is known again, and what comes back."""

import json
import os
from collections.abc import Mapping, Sequence
from hashlib import sha256
from ipaddress import ip_address
from typing import Any, Literal
from urllib.parse import urlsplit

from pydantic import BaseModel, ConfigDict, Field, JsonValue, field_validator

from agentrefine_lib.schema import SPECIAL_TOKEN, Ending, Record, Section, without_reasoning

AT_LIMIT = ("length", "max_tokens")  # what servers call an answer that was cut
FORMATS = ("json_schema", "json_object", "text")  # how a schema is asked for; each falls back to the next
OURS = {  # fields of a request → who sets them
    **{name: name for name in ("model", "temperature", "top_p", "max_tokens")},
    "max_completion_tokens": "max_tokens and max_tokens_name",
    **dict.fromkeys(("messages", "seed", "response_format", "stream"), "the suite itself"),
}


class EndpointSettings(Section):
    """Where the model is and how it is sampled. Holds the *name* of the variable with the key, never the key."""

    model_config = ConfigDict(hide_input_in_errors=True)  # a key pasted into the wrong field is not printed

    base_url: str  # ends in /v1 nearly everywhere
    model: str = Field(min_length=1)
    temperature: float | None = Field(default=1.0, ge=0)  # None: not sent
    top_p: float | None = Field(default=1.0, gt=0, le=1)  # None: not sent
    max_tokens: int = Field(default=4096, ge=1)
    max_tokens_name: Literal["max_tokens", "max_completion_tokens"] = "max_tokens"  # newer OpenAI models: the second
    extra: dict[str, JsonValue] = Field(default={})  # more fields of the request, e.g. {"reasoning_effort": "low"}
    key_variable: str = Field(default="OPENAI_API_KEY", pattern=r"^[A-Za-z_][A-Za-z0-9_]*$")
    timeout_s: float = Field(default=120, gt=0)  # for one whole attempt, from connecting to the last byte
    concurrency: int = Field(default=64, ge=1)  # requests in flight, at most
    retries: int = Field(default=6, ge=0)  # attempts after the first
    backoff_s: float = Field(default=0.5, gt=0)  # the first wait is random in [0, backoff_s]; the bound doubles
    backoff_max_s: float = Field(default=60, gt=0)
    wait_max_s: float = Field(default=300, ge=0)  # a server that asks for a longer wait is given up
    price: str | None = None  # entry of the price list; default: the model's name, or "local" on a loopback URL

    @field_validator("extra")
    @classmethod
    def nothing_is_said_twice(cls, extra: dict[str, JsonValue]) -> dict[str, JsonValue]:
        if twice := sorted(extra.keys() & OURS.keys()):
            told = "; ".join(f"{name} is set by {OURS[name]}" for name in twice)
            raise ValueError(f"fields that a request has already: {told}")
        return extra

    @field_validator("base_url")
    @classmethod
    def no_secret_in_the_url(cls, url: str) -> str:
        parts = urlsplit(url)
        if parts.scheme not in ("http", "https") or not parts.hostname:
            raise ValueError("expected http://… or https://…")
        if "@" in url or parts.query:
            raise ValueError("expected a URL without user, password or query; the key belongs into key_variable")
        return url

    @property
    def is_local(self) -> bool:
        """True when the server is on this machine: it may do without a key, and its tokens cost nothing."""
        host = urlsplit(self.base_url).hostname or ""
        try:
            return host == "localhost" or ip_address(host).is_loopback
        except ValueError:
            return False

    def key(self) -> str | None:
        """The API key from the environment; "none" for a local server without one, None where nothing usable is set."""
        key = os.environ.get(self.key_variable, "").strip() or ("none" if self.is_local else "")
        return key if key.isascii() and key.isprintable() and key.split() == [key] else None


def seed_of(*parts: str | int) -> int:
    """A seed from what a request is about: 31 bits, which every server takes; the same in every process."""
    return int.from_bytes(sha256("\0".join(map(str, parts)).encode()).digest()[:4]) >> 1


class Request:
    """A chat, ready to be sent. ``key`` does not depend on the URL, the API key or the order of fields."""

    def __init__(
        self,
        settings: EndpointSettings,
        messages: Sequence[Mapping[str, JsonValue]],
        seed: int | None,
        schema: Mapping[str, JsonValue] | None,
    ) -> None:
        fields: dict[str, Any] = {"model": settings.model, "messages": list(messages), "seed": seed}
        fields |= {"temperature": settings.temperature, "top_p": settings.top_p}
        self._body = {name: value for name, value in fields.items() if value is not None} | settings.extra
        self._body[settings.max_tokens_name] = settings.max_tokens
        self.schema, self.form = schema, 0  # index into FORMATS; matters only with a schema
        fields |= settings.extra | {"max_tokens": settings.max_tokens, "json_schema": schema}
        canonical = json.dumps(fields, sort_keys=True, allow_nan=False)
        self.key = sha256(canonical.encode()).hexdigest()
        self.prompt_bound = len(canonical)  # tokens: a byte-level tokenizer makes at most one of each byte
        said = [str(message.get("content")) for message in messages]
        self.begins, self.chars = (said[0][:500] if said else ""), sum(map(len, said))

    @property
    def can_ask_otherwise(self) -> bool:
        """True while there is another way to ask for a schema."""
        return self.schema is not None and self.form + 1 < len(FORMATS)

    def body(self) -> dict[str, Any]:
        """The JSON to send, asking for a schema in its form."""
        if not self.can_ask_otherwise:
            return self._body
        form = FORMATS[self.form]
        named = {"json_schema": {"name": "answer", "schema": self.schema}} if form == "json_schema" else {}
        return self._body | {"response_format": {"type": form} | named}


class Completion(Record):
    """An answer; without ``cached``, also one line of a recording."""

    key: str  # of the request
    model: str
    text: str
    finish_reason: str | None
    prompt_tokens: int
    completion_tokens: int
    estimated: bool  # the server counted no tokens; these are upper bounds
    cost: float | None  # when it was paid; None: the price was unknown
    cut: bool = False  # it took max_tokens
    cached: bool = Field(default=False, exclude=True)  # this call did not pay for it

    @property
    def tokens(self) -> int:
        return self.prompt_tokens + self.completion_tokens

    @property
    def ending(self) -> Ending:
        """As a step or a rejection keeps it."""
        tokens = None if self.estimated else self.completion_tokens
        cut = self.cut or (self.finish_reason or "").lower() in AT_LIMIT
        return Ending(reason=self.finish_reason, tokens=tokens, cut=cut)


def is_blank(text: str) -> bool:
    """Nothing that can be seen, apart from a model's reasoning and the special tokens of its template."""
    said = SPECIAL_TOKEN.sub("", without_reasoning(text))
    return not any(letter.isprintable() and not letter.isspace() for letter in said)


class Message(BaseModel):
    """What a server's model says, and what some say in its place."""

    content: str | None = None
    refusal: Any = None
    tool_calls: Any = None
    reasoning_content: Any = None
    reasoning: Any = None


class _Choice(BaseModel):
    message: Message
    finish_reason: str | None = None


class TokenCount(BaseModel):
    """A server's own count; some count nothing."""

    prompt_tokens: int | None = Field(default=None, ge=0)
    completion_tokens: int | None = Field(default=None, ge=0)


class Answer(BaseModel):
    """What is read of a server's JSON. What does not fit is garbage, and is asked for again."""

    choices: list[_Choice] = Field(min_length=1)
    usage: TokenCount | None = None

"""The client: one call that answers a chat, from the recording or from the server, whatever happens on the way."""

import asyncio
import logging
import random
from collections import Counter
from collections.abc import Mapping, Sequence
from itertools import cycle
from pathlib import Path
from typing import Literal, NamedTuple, Self

import httpx2
import openai
from pydantic import JsonValue, ValidationError

from agentrefine_lib.endpoint.budget import Budget, Ledger, Usage
from agentrefine_lib.endpoint.concurrency import Throttle
from agentrefine_lib.endpoint.failures import (
    FILTERED,
    OVERLOAD,
    EmptyAnswerError,
    EndpointError,
    Failure,
    account,
    no_text,
    scrubber,
    understand,
)
from agentrefine_lib.endpoint.growth import PromptGrowth
from agentrefine_lib.endpoint.prices import Prices, need_price, price_of
from agentrefine_lib.endpoint.recording import NotRecordedError, Recording
from agentrefine_lib.endpoint.request import (
    FORMATS,
    Answer,
    Completion,
    EndpointSettings,
    Request,
    TokenCount,
    is_blank,
)
from agentrefine_lib.schema import Ending

log = logging.getLogger(__name__)
CONNECTIONS = 16  # that one HTTP client keeps, about
DOUBTS = 2  # requests that a form has to fail, and none succeed in it, before all are asked in the next one


class Statistics(NamedTuple):
    """For progress bars. ``spent`` covers the whole recording, the other counts this ``async with`` only."""

    requests: int
    retries: dict[str, int]  # by kind of failure
    cached: int
    tokens: int
    cost: float | None  # US dollars; None: the price is unknown
    spent: Usage
    limit: int  # requests permitted in flight at the moment
    cut: int  # answers that end at max_tokens
    response_format: str  # how a schema is asked for, see FORMATS


class Endpoint:
    """An OpenAI-compatible server. The same request has one answer: ask with another seed for another sample.

    ``mode``: "record" answers from ``recording`` what is in it and appends the rest; "replay" never touches the
    network; "off" ignores the recording. Raises PriceError when a money budget meets an unknown price.
    """

    def __init__(
        self,
        settings: EndpointSettings,
        recording: Path | None = None,
        mode: Literal["record", "replay", "off"] = "record",
        budget: Budget = Budget(),  # noqa: B008
        prices: Prices | None = None,
        rng: random.Random | None = None,
    ) -> None:
        if mode == "replay" and recording is None:
            raise ValueError("mode='replay' needs a recording")
        self.settings, self._mode, self._budget, self._prices = settings, mode, budget, prices or {}
        self._path = None if recording is None or mode == "off" else Path(recording)
        self._price = price_of(settings, self._prices)
        if budget.money is not None and mode != "replay":
            need_price(self._price, settings.price or settings.model)
        self._rng, self._form, self._failed_forms = rng or random.Random(), 0, Counter[int]()
        self._working_forms: set[int] = set()
        self._where = f"{settings.base_url}, model {settings.model!r}"

    async def __aenter__(self) -> Self:
        self._spoken = False  # this model has said something
        self._recording = None if self._path is None else Recording(self._path, writable=self._mode == "record")
        try:
            self._before = self._paid_before()
        except Exception:
            self._close_recording()
            raise
        self._ledger = Ledger(self._budget, self._before, self._saved)
        self._throttle = Throttle(self.settings.concurrency)
        self._clients: list[openai.AsyncOpenAI] = []
        self._pending: dict[str, asyncio.Task[Completion]] = {}
        self._on_the_wire: set[asyncio.Task[Completion] | None] = set()
        self._retries, self._cached, self._closing = Counter[str](), 0, False
        self._answered, self._cut, self._silent, self._growth = 0, 0, 0, PromptGrowth(self._where)
        return self

    async def __aexit__(self, *_: object) -> None:
        """Wait for what is on the wire (it is paid for), drop what is not, close the files."""
        self._closing = True
        try:
            for task in set(self._pending.values()) - self._on_the_wire:
                task.cancel()
            if self._pending:
                await asyncio.wait(self._pending.values())
            for client in self._clients:
                await client.close()
            self._tell()
        finally:
            for task in self._pending.values():
                task.cancel()
            self._close_recording()

    def _tell(self) -> None:
        """What somebody has to know of the answers, in one line."""
        told = []
        if self._cut:
            limit = f"max_tokens={self.settings.max_tokens:,}"
            told.append(f"{self._cut:,} end at {limit}: raise it (reply_tokens or max_reply_tokens in a chapter)")
        if self._silent:
            told.append(f"{self._silent:,} have no text, however often they were asked for")
        if told:
            log.warning("%s: of %s answers %s", self._where, f"{self._answered:,}", "; ".join(told))

    async def complete(
        self,
        messages: Sequence[Mapping[str, JsonValue]],
        *,
        seed: int | None = None,
        json_schema: Mapping[str, JsonValue] | None = None,
    ) -> Completion:
        """The answer to a chat. Raises EndpointError, or its kinds BudgetExceededError, NotRecordedError and
        EmptyAnswerError.

        A caller that is cancelled leaves its request running: it is paid for, and whoever asks again gets it.
        """
        request = Request(self.settings, messages, seed, json_schema)
        found = self._recording.get(request.key) if self._recording else None
        if found is None and self._mode == "replay":
            what = f"request {request.key[:12]}… (model {self.settings.model!r}, seed {seed}, {len(messages)} messages)"
            mend = "restore the recorded run's prompts, model and sampling, or record again with mode='record'"
            raise NotRecordedError(f"{self._path}: {what} is not recorded. {self._saved()}. What to do: {mend}")
        if found is None and request.key not in self._pending:
            task = self._pending[request.key] = asyncio.create_task(self._pay(request))
            task.add_done_callback(lambda done: self._forget(request.key, done))
            return self._counted(await asyncio.shield(task))
        self._cached += 1
        if found is None:
            found = await asyncio.shield(self._pending[request.key])
        return self._counted(found.model_copy(update={"cached": True}))

    def _counted(self, completion: Completion) -> Completion:
        self._answered, self._cut = self._answered + 1, self._cut + completion.ending.cut
        return completion

    def statistics(self) -> Statistics:
        new, limit = self._ledger.spent.plus(self._before, sign=-1), int(self._throttle.limit)
        used = new.requests, dict(self._retries), self._cached, new.tokens, new.money if self._price else None
        return Statistics(*used, self._ledger.spent, limit, self._cut, FORMATS[self._form])

    async def _pay(self, request: Request) -> Completion:
        """Attempt until there is an answer. Raises EndpointError on a refusal and after too many failures."""
        history: list[Failure] = []
        refused_forms: dict[int, str] = {}
        if not self._clients:
            self._connect()
        while True:
            request.form = max(request.form, self._form)
            outcome = await self._attempt(request)
            if isinstance(outcome, Completion):
                self._spoken = True
                self._learn_form(request, refused_forms)
                return outcome
            if self._closing:
                raise asyncio.CancelledError
            if outcome.about_format and request.can_ask_otherwise:
                refused_forms[request.form] = outcome.detail
                request.form += 1
                continue
            history.append(outcome)
            final = outcome.kind == "refused" or outcome.wait_s > self.settings.wait_max_s
            if final or len(history) > self.settings.retries:
                told = f"{account(self._where, history, self.settings.key_variable)}. {self._saved()}"
                raise self._silence(told, outcome.ending) if outcome.ending else EndpointError(told)
            self._retries[outcome.kind] += 1
            bound_s = min(self.settings.backoff_max_s, self.settings.backoff_s * 2 ** (len(history) - 1))
            await asyncio.sleep(outcome.wait_s + self._rng.uniform(0, bound_s))

    def _silence(self, told: str, ending: Ending) -> EndpointError:
        """One prompt without an answer is the model's doing; where nothing was ever answered, something is wrong."""
        if ending.reason not in FILTERED and not self._spoken:
            return EndpointError(told)
        self._answered += 1
        self._silent += 1
        self._cut += ending.cut
        return EmptyAnswerError(told, ending)

    def _learn_form(self, request: Request, refused: dict[int, str]) -> None:
        """A form that a server does not know fails every request; one that is refused once may have met a bad day."""
        if request.schema is None:
            return
        self._working_forms.add(request.form)
        self._failed_forms.update(refused.keys())
        while self._failed_forms[self._form] >= DOUBTS and self._form not in self._working_forms:
            detail = refused.get(self._form, "as before")
            self._form += 1
            log.warning("%s: asking for %s now: %s", self._where, FORMATS[self._form], detail)

    async def _attempt(self, request: Request) -> Completion | Failure:
        """One HTTP request: in a place of the throttle, within the budget, recorded before anybody sees it."""
        async with self._throttle as started:
            most = self._cost(request.prompt_bound, self.settings.max_tokens)
            worst = Usage(1, request.prompt_bound + self.settings.max_tokens, most or 0.0)
            await self._ledger.reserve(worst)
            self._on_the_wire.add(asyncio.current_task())
            actual = worst  # what ends half-way may have been billed whole
            try:
                outcome = await self._send(request)
                if isinstance(outcome, Completion):
                    actual = Usage(1, outcome.tokens, outcome.cost or 0.0)
                    if self._recording is not None:
                        self._recording.append(outcome)
                elif not outcome.billed:
                    actual = Usage(requests=1)
            finally:
                self._on_the_wire.discard(asyncio.current_task())
                self._ledger.settle(worst, actual)
            if isinstance(outcome, Completion):
                self._throttle.succeeded()
            elif outcome.kind in OVERLOAD:
                self._throttle.failed(started)
                self._throttle.pause(outcome.wait_s if outcome.wait_s <= self.settings.wait_max_s else 0.0)
            return outcome

    async def _send(self, request: Request) -> Completion | Failure:
        """Post a request and read the answer. Errors become values, so that no traceback carries the key."""
        client, scrub = next(self._turns), self._scrub
        try:
            async with asyncio.timeout(self.settings.timeout_s):
                body = request.body()
                response = await client.post("/chat/completions", body=body, cast_to=httpx2.Response)
            answer = Answer.model_validate_json(scrub(response.text))
        except (openai.OpenAIError, TimeoutError, ValidationError) as error:
            return understand(error, scrub)
        choice, usage, limit = answer.choices[0], answer.usage or TokenCount(), self.settings.max_tokens
        text = choice.message.content or ""
        if is_blank(text):
            return no_text(choice.message, choice.finish_reason, usage.completion_tokens, limit)
        if usage.prompt_tokens is not None:
            self._growth.watch(request.begins, request.chars, usage.prompt_tokens)
        read = request.prompt_bound if usage.prompt_tokens is None else usage.prompt_tokens
        written = len(text.encode()) if usage.completion_tokens is None else usage.completion_tokens
        return Completion(
            key=request.key,
            model=self.settings.model,
            text=text,
            finish_reason=choice.finish_reason,
            cut=(usage.completion_tokens or 0) >= limit,
            prompt_tokens=read,
            completion_tokens=written,
            estimated=None in (usage.prompt_tokens, usage.completion_tokens),
            cost=self._cost(read, written),
        )

    def _connect(self) -> None:
        """Several clients, taken in turn: a connection pool looks at all its connections twice for each request."""
        url, name, key = self.settings.base_url, self.settings.key_variable, self.settings.key()
        if key is None:
            raise EndpointError(f"{self._where}: no usable key; put it into the environment variable {name}")
        tls = httpx2.create_ssl_context()
        for _ in range(0, self.settings.concurrency, CONNECTIONS):
            http = openai.DefaultAsyncHttpxClient(verify=tls)
            client = openai.AsyncOpenAI(api_key=key, base_url=url, max_retries=0, timeout=None, http_client=http)
            self._clients.append(client)
        self._turns, self._scrub = cycle(self._clients), scrubber(key)

    def _cost(self, prompt_tokens: int, completion_tokens: int) -> float | None:
        return self._price.of(prompt_tokens, completion_tokens) if self._price else None

    def _paid_before(self) -> Usage:
        """What the recording says was spent. Raises PriceError when money counts and nobody knows what a line cost."""
        paid = Usage()
        if self._recording is None:
            return paid
        for line in self._recording.scan():
            cost, price = line.cost, self._price if line.model == self.settings.model else self._prices.get(line.model)
            if cost is None and self._budget.money is not None:
                cost = need_price(price, line.model).of(line.prompt_tokens, line.completion_tokens)
            self._spoken |= line.model == self.settings.model and line.key in self._recording.offsets
            paid = paid.plus(Usage(1, line.tokens, cost or 0.0))
        return paid

    def _close_recording(self) -> None:
        if self._recording is not None:
            self._recording.close()

    def _saved(self) -> str:
        if self._recording is None:
            return "Nothing is recorded"
        return f"{len(self._recording.offsets):,} completions are recorded in {self._path}"

    def _forget(self, key: str, task: asyncio.Task[Completion]) -> None:
        del self._pending[key]
        if not task.cancelled():
            task.exception()  # its callers have it; where all of them were cancelled nobody wants it

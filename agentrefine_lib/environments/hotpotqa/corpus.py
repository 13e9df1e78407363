"""Questions with their articles, in HotpotQA's distractor format, and the search over all articles of a file."""

import hashlib
import html
import re
from collections.abc import Iterator, MutableMapping
from functools import lru_cache
from pathlib import Path
from typing import Self

import numpy as np
from pydantic import AliasChoices, ConfigDict, Field, TypeAdapter, ValidationError, model_validator

from agentrefine_lib.schema import Record, SchemaError, explain, read_jsonl

SHIPPED = Path(__file__).with_name("questions.jsonl")
SIMILAR = 5  # titles offered when there is no article of the name asked for
SEPARATOR = "#"  # between file and question in the name of a task
LIVE = "wikipedia:"  # before it, where Wikipedia is searched


class Question(Record):
    """One question. ``context``: (title, sentences) of each article; ``supporting_facts``: (title, sentence number)."""

    model_config = ConfigDict(extra="ignore")  # level, type and whatever else a release carries

    id: str = Field(validation_alias=AliasChoices("_id", "id"))
    question: str = Field(min_length=1)
    answer: str = Field(min_length=1)
    context: list[tuple[str, list[str]]] = Field(min_length=1)
    supporting_facts: list[tuple[str, int]]

    @model_validator(mode="after")
    def facts_have_articles(self) -> Self:
        missing = {title for title, _ in self.supporting_facts} - {title for title, _ in self.context}
        if missing:
            raise ValueError(f"supporting_facts name {sorted(missing)}, which context does not hold")
        return self


class Corpus:
    """The questions of one file, and a search over all their articles together (the first of each title counts)."""

    def __init__(self, path: Path) -> None:
        self.digest = hashlib.sha256(path.read_bytes()).hexdigest()[:12]
        self.file = self  # whose sentences the supporting facts number, whatever is searched
        self.questions: dict[str, Question] = {}
        self.articles: MutableMapping[str, list[str]] = {}  # title → sentences
        for question in _read(path):
            if question.id in self.questions:
                raise SchemaError(f"{path}: two questions have the id {question.id!r}; each needs one of its own")
            self.questions[question.id] = question
            for title, sentences in question.context:
                self.articles.setdefault(_tidy(title), [_tidy(sentence) for sentence in sentences])
        self._titles: MutableMapping[str, str] = {title.casefold(): title for title in self.articles}
        import bm25s  # here, in the engine's process: it brings JAX along where that is installed

        self._index = bm25s.BM25()
        texts = [f"{title} {' '.join(sentences)}" for title, sentences in self.articles.items()]
        self._index.index(bm25s.tokenize(texts, show_progress=False), show_progress=False)

    def find(self, title: str) -> str | None:
        """The article of this title, whatever its case; None when there is none."""
        return self._titles.get(title.casefold())

    def similar(self, query: str) -> list[str]:
        """Titles of the articles that fit the words of a query best (BM25), at most ``SIMILAR``, best first."""
        import bm25s

        words = bm25s.tokenize(query, return_ids=False, show_progress=False)[0]
        if not words:
            return []
        scores = self._index.get_scores(words)
        best = np.argsort(-scores, kind="stable")[:SIMILAR]  # ties in the order of the file
        titles = list(self.articles)
        return [titles[number] for number in best if scores[number] > 0]

    def may_find(self, name: str) -> bool:
        return bool(self.similar(name))

    def named_in(self, text: str) -> list[str]:
        """Titles that occur in a text, in the order of the file."""
        folded = text.casefold()
        found = [(key, title) for key, title in self._titles.items() if key in folded]  # cheap, then whole words only
        return [title for key, title in found if re.search(rf"(?<!\w){re.escape(key)}(?!\w)", folded)]

    def facts(self, question: Question) -> list[tuple[str, int]]:
        """The supporting facts whose sentence exists (official files name a few that do not), as (title, number)."""
        found = [(_tidy(title), number) for title, number in question.supporting_facts]
        return [(title, number) for title, number in found if any(self.articles[title][number : number + 1])]


@lru_cache(maxsize=2)
def load_corpus(path: Path = SHIPPED) -> Corpus:
    """Read and index a file: JSON lines, or one JSON array as the official releases are. Kept per process.

    Raises OSError, and SchemaError for a question that does not fit.
    """
    return Corpus(path)


def find_question(name: str) -> tuple[Corpus, Question]:
    """The question that a task's name means: "<id>" or "<file>#<id or index>", the latter over Wikipedia where
    "wikipedia:" stands before it. Raises ValueError if there is none."""
    name, live = name.removeprefix(LIVE), name.startswith(LIVE)
    cuts = [at for at, sign in enumerate(name) if sign == SEPARATOR]  # an id may hold one, and so may a path
    cut = max((at for at in cuts if Path(name[:at]).is_file()), default=max(cuts, default=0))
    file, key = name[:cut], name[cut:].removeprefix(SEPARATOR) if cut else name
    try:
        corpus = load_corpus(Path(file) if file else SHIPPED)
    except OSError as error:
        raise ValueError(f"unknown HotpotQA task {name!r}: cannot read {file}: {error.strerror}") from None
    ids = list(corpus.questions)
    if file and key not in corpus.questions and key.isdecimal() and int(key) < len(ids):
        key = ids[int(key)]
    if key not in corpus.questions:
        expected = f"{', '.join(ids[:3])}, …, or path/to/file.jsonl#<id or index>"
        raise ValueError(f"unknown HotpotQA task {name!r}: expected a question such as {expected}")
    if live:
        from agentrefine_lib.environments.hotpotqa.wikipedia import Wikipedia

        corpus = Wikipedia(corpus, Path(f"{file or SHIPPED.name}.wikipedia.jsonl"))
    return corpus, corpus.questions[key]


def _read(path: Path) -> Iterator[Question]:
    with open(path, encoding="utf-8-sig") as file:
        is_array = file.read(1000).lstrip().startswith("[")
    if not is_array:
        yield from read_jsonl(path, Question)
        return
    try:
        yield from TypeAdapter(list[Question]).validate_json(
            path.read_text(encoding="utf-8-sig"), by_alias=True, by_name=False
        )
    except ValidationError as error:
        raise SchemaError(f"{path}: not a list of questions: {explain(error)}") from None


def _tidy(text: str) -> str:
    return " ".join(html.unescape(text).split())

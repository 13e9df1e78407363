"""A reader who knows which sentences support the answer, and gets to them by what a search would reveal."""

import random
import re

from agentrefine_lib.environments.hotpotqa.corpus import Corpus, Question
from agentrefine_lib.environments.words import load_words

QUOTED = 120  # characters of a sentence that a thought repeats
QUERY_WORDS = 6
FILLERS = {"from", "with", "that", "which", "what", "where", "when", "were", "have", "does", "also", "than"}


class Reader:
    """Chooses the next (thought, action) from what has been displayed so far."""

    def __init__(self, corpus: Corpus, question: Question, rng: random.Random) -> None:
        self._corpus = corpus
        self._question = question
        self._rng = rng
        self._facts = sorted(corpus.facts(question), key=self._place)
        self._tried: set[str] = set()  # titles for which a query was made

    def choose(self, open_title: str | None, shown: set[tuple[str, int]], seen: str) -> tuple[str, str]:
        """The next (thought, action), given the open article, the sentences displayed and all text seen."""
        read = [fact for fact in self._facts if fact in shown]
        missing = next((fact for fact in self._facts if fact not in shown), None)
        if missing is None:
            quote = " ".join(self._quote(fact) for fact in read)
            answer = " ".join(self._question.answer.split())
            return self._think("answer", quote=quote, answer=answer), f"finish[{answer}]"
        title, number = missing
        if title == open_title:
            keyword = self._keyword(title, number)
            return self._think("lookup", title=title, words=keyword), f"lookup[{keyword}]"
        leading = [fact for fact in read if title in self._corpus.articles[fact[0]][fact[1]]] or read
        quote = self._quote(leading[-1]) if leading else ""
        words = self._query(title)
        if title in self._corpus.named_in(seen):
            asked = title in self._corpus.named_in(self._question.question)
            purpose = "listed" if title in self._tried else "first" if not read else "also" if asked else "next"
        elif words and title not in self._tried:
            self._tried.add(title)
            return self._think("query", quote=quote, words=words), f"search[{words}]"
        else:
            purpose = "guess"
        return self._think(purpose, quote=quote, title=title), f"search[{title}]"

    def _place(self, fact: tuple[str, int]) -> tuple[int, int]:
        """Where a reader would begin: titles in the order of the question, then articles with most of its words."""
        asked, title = self._question.question.casefold(), fact[0].casefold()
        article = " ".join(self._corpus.articles[fact[0]]).casefold()
        shared = set(_words(asked)) & set(_words(article))
        return asked.find(title) % (len(asked) + 1), -len(shared)  # not found is -1, which becomes the last place

    def _think(self, purpose: str, **words: str) -> str:
        return self._rng.choice(load_words(__file__)["thoughts"][purpose]).format(**words).strip()

    def _quote(self, fact: tuple[str, int]) -> str:
        sentence = self._corpus.articles[fact[0]][fact[1]]
        return f'"{sentence}"' if len(sentence) <= QUOTED else f'"{sentence[: QUOTED - 3]}..."'

    def _query(self, title: str) -> str:
        """Words of the question that occur in the article sought."""
        telling = set(_words(" ".join([title, *self._corpus.articles[title]]).casefold())) - FILLERS
        found = [word for word in _words(self._question.question) if word.casefold() in telling]
        return " ".join(list(dict.fromkeys(found))[:QUERY_WORDS])

    def _keyword(self, title: str, number: int) -> str:
        """A word that leads to this sentence at once, from the question if possible; otherwise its longest word,
        which leads there by and by."""
        *before, sentence = self._corpus.articles[title][: number + 1]
        words = _words(sentence)
        new = [word for word in words if word.casefold() not in " ".join(before).casefold()]
        asked = _words(self._question.question.casefold())
        return next((word for word in new if word.casefold() in asked), max(new or words, key=len, default=sentence))


def _words(text: str) -> list[str]:
    return re.findall(r"\w{4,}", text)

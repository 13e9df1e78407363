"""English Wikipedia in place of the articles of a file, as ReAct, LATS and the paper play it; its answers are kept."""

import json
import re
from collections import ChainMap
from contextlib import suppress
from pathlib import Path
from typing import Any
from urllib.parse import urlencode
from urllib.request import Request, urlopen

from agentrefine_lib.environments.hotpotqa.corpus import SIMILAR, Corpus

URL = "https://en.wikipedia.org/w/api.php"
AGENT = "agentrefine-notebooks (https://arxiv.org/abs/2501.01702)"  # Wikipedia asks programs to say who they are
MAX_BYTES, TIMEOUT_S = 1 << 22, 12  # a step may ask twice, within TimeLimits.step
MAX_QUERY = 300  # characters that its search reads
_SENTENCE = re.compile(r"(?<=[.!?])\s+|\n+")


class Wikipedia(Corpus):
    """A file's questions over Wikipedia. What was asked before is answered from ``kept`` (JSONL), which grows: a run
    that is repeated reads the same, and needs no network. Raises OSError where Wikipedia cannot be reached."""

    def __init__(self, corpus: Corpus, kept: Path) -> None:
        self.__dict__.update(corpus.__dict__)
        self.digest = f"{corpus.digest}, Wikipedia"
        self.articles = ChainMap({}, corpus.articles)  # those that were opened hide the file's
        self._titles = ChainMap({}, corpus._titles)
        self._kept = kept
        self._answers: dict[str, Any] = {}
        for line in kept.read_text(encoding="utf-8").splitlines() if kept.exists() else []:
            with suppress(ValueError):  # a kill may have cut one
                asked, answer = json.loads(line)
                self._answers[asked] = answer

    def find(self, title: str) -> str | None:
        """The title of the article of this name, redirects followed; None when there is none."""
        pages: dict[str, Any] = self._ask(prop="extracts", explaintext=1, redirects=1, titles=title).get("pages", {})
        page: dict[str, str] = next(iter(pages.values()), {})  # none for a title of another wiki, such as "fr:Paris"
        sentences = [said for said in _SENTENCE.split(page.get("extract", "")) if said.strip()]
        if not sentences:
            return None
        name: str = page["title"]
        self.articles[name], self._titles[name.casefold()] = sentences, name
        return name

    def similar(self, query: str) -> list[str]:
        return [hit["title"] for hit in self._ask(list="search", srsearch=query[:MAX_QUERY], srlimit=SIMILAR)["search"]]

    def may_find(self, name: str) -> bool:
        """Taken for granted: nobody is asked for the sake of a list."""
        return True

    def _ask(self, **what: Any) -> Any:
        asked = urlencode({"action": "query", "format": "json", **what})
        if asked not in self._answers:
            with urlopen(Request(f"{URL}?{asked}", headers={"User-Agent": AGENT}), timeout=TIMEOUT_S) as answer:
                said = json.loads(answer.read(MAX_BYTES))
            if "query" not in said:
                raise OSError(f"Wikipedia: {said.get('error', {}).get('info', 'no answer')}")
            self._answers[asked] = said["query"]
            with open(self._kept, "a", encoding="utf-8") as kept:  # one write a line: several engines append
                kept.write(f"\n{json.dumps([asked, said['query']])}\n")  # begins a line, whatever a kill has cut
        return self._answers[asked]

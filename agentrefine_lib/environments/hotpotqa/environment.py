"""HotpotQA as a ReAct environment (Yao et al. 2023): search, lookup and finish over a local set of articles.

Success is exact match, progress the F1 of the answer given (0 before ``finish``): the paper reports their means.
"""

import importlib.metadata
import json
import random
import re
import string
from collections import Counter
from collections.abc import Iterator

from agentrefine_lib.environments.hotpotqa.corpus import SEPARATOR, find_question
from agentrefine_lib.environments.hotpotqa.expert import Reader
from agentrefine_lib.environments.protocol import StepResult, TextEnvironment
from agentrefine_lib.environments.signature import parse_command, short
from agentrefine_lib.environments.words import load_words
from agentrefine_lib.schema import Task

SHOWN = 5  # sentences of an article that a search displays, as in ReAct; the others are found by lookup
COMMANDS: dict[str, str] = load_words(__file__)["commands"]
_NAME = re.compile(r"(?:[A-ZÀ-Þ][\w'’-]*|\d[\d,.]*)(?: (?:of |the |and )*(?:[A-ZÀ-Þ][\w'’-]*|\d[\d,.]*))*")
_PUNCTUATION = str.maketrans("", "", string.punctuation)
_WHOLE = {"yes", "no", "noanswer"}  # right or wrong as a whole: no partial credit


class HotpotQA(TextEnvironment):
    """One question at a time; implements ``Environment``. ``reset`` raises ValueError for an unknown question."""

    engine = "hotpotqa"
    version = f"bm25s {importlib.metadata.version('bm25s')}"  # reset adds the digest of the question file
    rules = load_words(__file__)["rules"]
    commands = COMMANDS

    def reset(self, task: Task) -> str:
        """Start a question: "<id>" of the shipped set, or "<file>#<id or index>"; of "<file>#", the seed's."""
        self._corpus, self._question = find_question(task.name + str(task.seed) * task.name.endswith(SEPARATOR))
        self._task = task
        self.version = f"{HotpotQA.version}, questions {self._corpus.digest}"
        self.goal = " ".join(self._question.question.split())
        self._open: str | None = None  # title of the article that lookups search
        self._keyword, self._found = "", 0  # of the last lookup: the keyword and how many of its sentences were read
        self._shown: set[tuple[str, int]] = set()  # sentences displayed so far: title, number
        self._progress, self._success, self._done = 0.0, False, False
        observation = f"No article is open. {len(self._corpus.articles)} articles can be searched."
        self._seen = f"{self.goal}\n{observation}"  # the question and all observations
        return observation

    def _play(self, action: str) -> StepResult:
        text = re.sub(r"\s+\[", "[", action.encode(errors="replace").decode(), count=1).strip().rstrip(".")
        command = parse_command(text, COMMANDS)
        if command is None and "check" in text.lower():  # AgentBoard: any text with this word asks for the list
            return self._offer()
        if command is None:
            return self._result(f"That is not a command. The commands are: {', '.join(COMMANDS)}.", "format")
        argument = next(iter(command.arguments.values())).strip()
        if not argument:
            return self._result("Between the brackets stands nothing.", "parameter")
        play = {"search": self._search, "lookup": self._lookup, "finish": self._finish}
        observation, error = play[command.signature.partition("[")[0]](argument)
        self._seen += f"\n{observation}"
        return self._result(observation, error)

    def valid_actions(self) -> list[str]:
        """The commands with the titles, names and numbers seen so far, sorted; any other text can be tried, too."""
        if self._done:
            return []
        names = {name.rstrip(".,") for name in _NAME.findall(self._seen)}
        titles = {*self._corpus.named_in(self._seen), *(name for name in names if self._corpus.may_find(name))}
        places = [name for name in names if self._open and len(self._places(name)) > self._read_already(name)]
        choices = {"search": titles, "lookup": places, "finish": names | {"yes", "no"}}
        return sorted(f"{verb}[{text}]" for verb, texts in choices.items() for text in texts)

    def expert(self) -> Iterator[tuple[str, str]]:
        """Yield (thought, action): read the supporting sentences one after the other, then answer."""
        reader = Reader(self._corpus.file, self._question, random.Random(f"{self._task.id} expert"))
        while not self._done:
            yield reader.choose(self._open, self._shown, self._seen)

    def _search(self, title: str) -> tuple[str, str | None]:
        found = self._corpus.find(title)
        if found is None:
            similar = self._corpus.similar(title)
            if not similar:
                return f'Could not find "{short(title, 80)}", and no article contains any word of it.', "parameter"
            return f'Could not find "{short(title, 80)}". Similar: {json.dumps(similar, ensure_ascii=False)}.', None
        self._open, self._keyword = found, ""
        sentences = self._corpus.articles[found][:SHOWN]
        self._shown |= {(found, number) for number in range(len(sentences))}
        return " ".join(sentences) or f"The article {found} is empty.", None

    def _lookup(self, keyword: str) -> tuple[str, str | None]:
        if self._open is None:
            return "No article is open: search for one first.", "logic"
        places = self._places(keyword)
        if not places:
            return f'The article {self._open} does not contain "{short(keyword, 80)}".', "parameter"
        read = self._read_already(keyword)
        if read == len(places):
            return f'No more results for "{short(keyword, 80)}" in the article {self._open}.', "logic"
        self._keyword, self._found = keyword.casefold(), read + 1
        self._shown.add((self._open, places[read]))
        return f"(Result {read + 1} / {len(places)}) {self._corpus.articles[self._open][places[read]]}", None

    def _finish(self, answer: str) -> tuple[str, str | None]:
        self._done = True
        self._success = exact_match(answer, self._question.answer)
        self._progress = f1(answer, self._question.answer)
        verdict = "the one expected" if self._success else "not the one expected"
        return f'You answered "{short(answer, 80)}". This answer is {verdict}.', None

    def _places(self, keyword: str) -> list[int]:
        """Numbers of the sentences of the open article that contain a keyword, whatever its case."""
        assert self._open is not None
        sentences = self._corpus.articles[self._open]
        return [number for number, text in enumerate(sentences) if keyword.casefold() in text.casefold()]

    def _read_already(self, keyword: str) -> int:
        return self._found if keyword.casefold() == self._keyword else 0


def normalise(text: str) -> str:
    """Lower case, without punctuation, the articles a, an, the, and extra blanks."""
    return " ".join(re.sub(r"\b(a|an|the)\b", " ", text.lower().translate(_PUNCTUATION)).split())


def exact_match(prediction: str, answer: str) -> bool:
    """Whether the two are the same text once normalised, as HotpotQA's hotpot_evaluate_v1.py has it."""
    return normalise(prediction) == normalise(answer)


def f1(prediction: str, answer: str) -> float:
    """Harmonic mean of precision and recall over the normalised words, in [0, 1], by the same script."""
    predicted, wanted = normalise(prediction), normalise(answer)
    if predicted != wanted and _WHOLE & {predicted, wanted}:
        return 0.0
    common = (Counter(predicted.split()) & Counter(wanted.split())).total()
    if common == 0:
        return 0.0
    precision, recall = common / len(predicted.split()), common / len(wanted.split())
    return 2 * precision * recall / (precision + recall)

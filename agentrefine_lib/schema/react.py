"""The grammar of a play as text: how observations and replies are written, and how a model's reply is read.

A reply should be ``Thought: …`` and ``Action: …``, and often is not quite. Without its reasoning it is one turn or
several: what follows an ``Observation:``, or a token that ends turns, is invented. The first turn with an action
counts. There the action is what follows ``Action:`` at the beginning of a line, else what another announcement or the
member ``"action"`` of a JSON object says. Where no turn announces one, it is the first line that is no thought.
"""

import re
from collections.abc import Iterable, Iterator
from typing import NamedTuple

from pydantic_core import from_json

EXAMPLE_STEPS = 8  # of another play that is shown as an example, at most
EXAMPLE_DRAWS = 2  # plays of which the shortest is the example
MAX_READ_CHARS = 200  # of an action
ACTION_LINE = re.compile(r"^[^\S\n]*action\s*:", re.IGNORECASE | re.MULTILINE)  # blank lines are read once, not each
REASONING_BEGINS = re.compile(
    r"<(?:seed:)?(?:think|thinking|reasoning)>|\[THINK\]|◁think▷|<\|channel\|>analysis<\|message\|>"
)
REASONING_ENDS = re.compile(  # some servers leave out the opening tag
    r"</(?:seed:)?(?:think|thinking|reasoning)>|\[/THINK\]|◁/think▷|<\|channel\|>final<\|message\|>"
)
_I, _IM, _IS = re.IGNORECASE, re.IGNORECASE | re.MULTILINE, re.IGNORECASE | re.DOTALL
_WRAPPING = " \t\r\n'\"`*_.,;>|}“”‘’「」«»\ufeff\u200b"  # quotes, emphasis and punctuation around an action
_COLON = "[:：﹕∶]"
_NUMBER = r"(?: ?[\[(#]?\d+[\])]?)?"
_MARKS = r"""[^\w\n"']"""  # of headings and emphasis; after a quoted name, a colon is JSON's
_FENCE = re.compile(r"^[ \t]*```\w*[ \t]*(?:\n|$)", re.MULTILINE)
SPECIAL_TOKEN = re.compile(  # special tokens of chat templates, with the role that one may name
    r"<[|｜](?:im_start|start_header_id|start)[|｜]>\w*|<[|｜][^<>|｜\n]{1,40}[|｜]>|</?s>|<[be]os>|<\|?turn\|?>"
    r"|<start_of_turn>\w*|<end_of_turn>|\[/?INST\]|<</?SYS>>"
)
_TURN_END = "\x1e"  # in place of a token; no line of a text holds it
_IN_BRACKETS = r"\[[^\[\]\n]*\]|(?<=\w)\([^()\n]*\)"  # the parameter of an action, whatever it says
_OTHERS = r"(?:observations?|obs|results?|feedback|environment|game|user|human|dm)" + _NUMBER
_INVENTED = re.compile(
    rf"{_IN_BRACKETS}|(?P<line>\x1e|^[^\w\n]{{0,9}}{_OTHERS}{_MARKS}{{0,3}}{_COLON}"
    rf"|^[^\w\n]{{0,9}}observation{_NUMBER}{_MARKS}{{0,9}}$)"
    rf"|(?P<word>(?-i:O(?:bservation|BSERVATION)){_NUMBER}{_MARKS}{{0,3}}{_COLON})",
    _IM,
)
_ANNOUNCEMENT = re.compile(
    rf"^[\W_]{{0,9}}(?:\d+[.)] )?(?:[\w']+ ){{0,5}}action(?:{_NUMBER}| ?\(\w+\)|(?: \w+){{0,4}}?)"  # Next action: …
    rf"(?:{_MARKS}{{0,3}}{_COLON}| is to )"
    rf"|(?-i:\bA(?:ction|CTION){_MARKS}{{0,3}}{_COLON})"  # Thought: … Action: …
    r"|(?:<|\[|\*\*|__)(?:action|command|answer)(?:>|\]|\*\*|__)"  # <action>… · [Action] …
    r"|^\W{0,9}action ?(?:[=-]>|→|=|–|—|-)"  # Action -> …
    rf"|^\W{{0,9}}(?:(?:my|the|next|final|chosen|best) ){{0,3}}action{_NUMBER}{_MARKS}{{0,9}}$",  # ### Action
    _IM,
)
_THOUGHT = re.compile(
    rf"^\W{{0,9}}(?:\d+[.)] )?(?:my )?thoughts?{_NUMBER}"
    rf"(?:{_MARKS}{{0,3}}{_COLON}[ \t*]*|[>\]*]{{1,3}}|{_MARKS}{{0,9}}(?=\n|$))",
    _I,
)
_STRING = r"""(?:"((?:[^"\\]++|\\.)*+)(?:"|\Z)|'((?:[^'\\]++|\\.)*+)(?:'|\Z))"""
_MEMBER = re.compile(rf"""["'](?:\w+_)?(?:action|command)["']\s*:\s*\[?\s*{_STRING}(?:[^{{}}]*\}})?""", _IS)
_THOUGHT_MEMBER = re.compile(rf"""["'](?:thoughts?|reasoning)["']\s*:\s*{_STRING}""", _IS)
_SAID = re.compile(rf"[{_WRAPPING}]*(?:action{_MARKS}{{0,3}}?{_COLON}[ \t]*)*([^\n]*)", _I)
_NEXT = re.compile(  # what goes on in the line of an action
    rf"{_IN_BRACKETS}|(?P<label>\b(?:observation|obs|thought|action){_NUMBER}{_MARKS}{{0,3}}{_COLON}"
    rf"|(?-i:Observation{_COLON})|</\w*(?:action|command|answer)>)",
    _I,
)
_BULLET = re.compile(r"(?:[-•]|\d{1,2}[.)])\s+(?=\S)")
_ENCLOSED = re.compile(r"[\[<({$]([^\[\]<>(){}$]*)[\])}>$]")


def format_observation(observation: str) -> str:
    """A message to the Player."""
    return f"Observation: {observation}"


def format_reply(thought: str, action: str) -> str:
    """The Player's message in ReAct form."""
    return f"Thought: {thought}\nAction: {action}"


def format_example(goal: str, observation: str, steps: Iterable[tuple[str, str, str]], *, thoughts: bool = True) -> str:
    """A play as text, from its goal to its last observation; ``steps``: (thought, action, observation)."""
    lines = ["An example, in another place:", f"Goal: {goal}", format_observation(observation)]
    for thought, action, said in steps:
        lines += [format_reply(thought, action) if thoughts else f"Action: {action}", format_observation(said)]
    return "\n".join([*lines, "End of the example."])


def is_react(reply: str) -> bool:
    """Whether a reply is a thought, then one line with an action, which is not empty."""
    actions = list(ACTION_LINE.finditer(reply))
    return len(actions) == 1 and reply.lstrip().startswith("Thought:") and reply[actions[0].end() :].strip() != ""


class Reply(NamedTuple):
    """A reply taken apart.

    ``well_formed``: a line begins with ``Action:`` and says something; whether an engine takes the action is another
    matter. ``said``: the reply up to and including its action, which is what its author may read again.
    """

    thought: str
    action: str
    well_formed: bool
    said: str


class _Found(NamedTuple):
    """An action, and where it stands in a text together with the words that announce it."""

    begin: int
    end: int
    action: str
    labelled: bool = False
    thought: str | None = None  # of the same JSON object


def parse_reply(text: str) -> Reply:
    """Read what comes before the first action as thought, and the action. Never fails.

    Models also bury the action in a code fence or in quotes, announce it in other words, put it on the next line, write
    several, or write nothing else. All of that is read; the engine refuses what is no action.
    """
    if "\n" not in text and not text.lstrip().startswith(("{", "[")):
        text = text.replace("\\n", "\n")  # written out by some
    lines = "\n".join(without_reasoning(text).splitlines())
    said = SPECIAL_TOKEN.sub(f"{_TURN_END}\n", _FENCE.sub("", lines)).strip(f"{_TURN_END} \t\n")
    turns = list(_turns(said))
    found = next(filter(None, (_announced(said, *turn) for turn in turns)), None)
    if found is None:
        begin, end = next(((begin, end) for begin, end, _ in turns if said[begin:end].strip()), (0, 0))
        found = _unannounced(said, begin, end)
    thought = said[: found.begin] if found.thought is None else found.thought
    thought = _THOUGHT.sub("", ACTION_LINE.sub("", thought.replace(_TURN_END, "")).strip())
    thought = thought.replace("</thought>", "").rstrip("*# \t\n")
    kept = said[: found.end].replace(_TURN_END, "").strip()
    return Reply(thought.strip(), found.action, found.labelled, kept)


def begins_with_action(text: str) -> bool:
    """Whether a reply begins with a bare action, as one does that goes on after the ``Action:`` of a prompt."""
    first = without_reasoning(text).lstrip("` \t\n").partition("\n")[0]
    return bool(first) and not (_THOUGHT.match(first) or _ANNOUNCEMENT.search(first) or first.startswith(("{", "[{")))


def without_reasoning(text: str) -> str:
    """The text after a reasoning model's block; nothing, when the block was cut off before its end."""
    begun = REASONING_BEGINS.match(text.lstrip()) is not None
    ends = list(REASONING_ENDS.finditer(text))
    last = next((tag for tag in reversed(ends) if not _is_quoted(text, tag)), None)
    if last and (begun or text[last.end() :].strip()):
        text = text[last.end() :]
    elif last:  # nobody began to think, and nothing follows
        text = text[: last.start()]
    again = (tag.start() for tag in REASONING_BEGINS.finditer(text) if not _is_quoted(text, tag))
    return text[: next(again, len(text))]


def _is_quoted(text: str, tag: re.Match[str]) -> bool:
    """Whether a tag is only spoken of: it stands between quotes of its line."""
    begin, end = text.rfind("\n", 0, tag.start()) + 1, text.find("\n", tag.end())
    before = text[begin : tag.start()].replace('\\"', "")
    after = text[tag.end() : end if end >= 0 else len(text)]
    return any(before.count(quote) % 2 and quote in after for quote in '"`')


def _turns(said: str) -> Iterator[tuple[int, int, bool]]:
    """Where each turn begins and ends, and whether it is over for sure: a word may also be one of a thought."""
    begin = 0
    for end in _INVENTED.finditer(said):
        if end.lastgroup:
            yield begin, end.start(), end.lastgroup == "line"
            begin = end.end()
    yield begin, len(said), False


def _announced(said: str, begin: int, end: int, over: bool) -> _Found | None:
    """The action that a turn announces; of a turn that is over, also a command that is its only line."""
    member = _member(said, begin, end)
    if member and said[begin:end].lstrip().startswith(("{", "[{")):
        return member
    if labelled := _after(ACTION_LINE, said, begin, end):
        return labelled._replace(labelled=True)
    if other := min(filter(None, (_after(_ANNOUNCEMENT, said, begin, end), member)), default=None):
        return other
    bare = _unannounced(said, begin, end)
    is_command = bare.action and not said[bare.end : end].strip() and said[bare.end - 1] not in ".!?:"
    return bare if over and is_command and not _THOUGHT.match(bare.action) else None


def _after(announcement: re.Pattern[str], said: str, begin: int, end: int) -> _Found | None:
    """The first announcement that says something: in its own line, or in the next one that is not blank."""
    for words in announcement.finditer(said, begin, end):
        if words.start() < begin:  # said twice: "Action: Action:"
            continue
        line = _SAID.match(said, words.end(), end)
        assert line  # it matches anything
        begin = line.start(1)
        if said.startswith("{", line.start(1)) and (member := _member(said, line.start(1), end)):
            return member._replace(begin=words.start(), thought=None)
        found = _command(said, line.start(1), line.end(1))
        if found.action and not _THOUGHT.match(found.action):
            return found._replace(begin=words.start())
    return None


def _command(said: str, begin: int, end: int) -> _Found:
    """The action in a line, without what is wrapped around it and what goes on after it."""
    further = next((further for further in _NEXT.finditer(said, begin, end) if further["label"]), None)
    line = said[begin : further.start() if further else end].strip()
    for leading_on in ("(", "->", "=>", "→", "-", "–"):
        line = line.removesuffix(leading_on).rstrip()
    if said[begin - 1 : begin] == "`":
        line = line.partition("`")[0]
    action = _BULLET.sub("", line.strip(" \t'\"`*.,;"), count=1)
    if enclosed := _ENCLOSED.fullmatch(action):
        action = enclosed[1]
    if further:
        end = further.end() if further[0].startswith("</") else further.start()
    return _Found(begin, end, _tidy(action))


def _tidy(action: str) -> str:
    bare = " ".join(action.strip(_WRAPPING).split())
    closing = '"' if bare.count('"') == 1 else ""  # of the action itself: say "hello"
    return (bare + closing)[:MAX_READ_CHARS].strip()


def _member(said: str, begin: int, end: int) -> _Found | None:
    """The action of a JSON object, also of one that is cut off or has single quotes."""
    member, thought = _MEMBER.search(said, begin, end), _THOUGHT_MEMBER.search(said, begin, end)
    if member is None or not (action := _unannounced(told := _text(member), 0, len(told)).action):
        return None
    before = max(said.rfind("{", begin, member.start()), begin)
    return _Found(before, member.end(), action, thought=_text(thought) if thought else said[begin:before])


def _text(string: re.Match[str]) -> str:
    written = string[1] if string[1] is not None else string[2].replace("\\'", "'").replace('"', '\\"')
    try:
        return str(from_json(f'"{written}"'))
    except ValueError:  # raw line breaks, lone backslashes
        return written


def _unannounced(said: str, begin: int, end: int) -> _Found:
    """The first line that is no thought, or else the first line."""
    first, _, rest = said[begin:end].lstrip().partition("\n")
    if _THOUGHT.match(first) and rest.strip():
        begin = said.index(first, begin) + len(first)
    line = _SAID.match(said, begin, end)
    assert line
    if _THOUGHT.match(line[1]):  # no engine takes it
        return _Found(line.start(1), line.end(1), _tidy(line[1]))
    return _command(said, line.start(1), line.end(1))

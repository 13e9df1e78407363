"""One game: a world of a mechanic, the way it is spoken of, the script of both, and the dungeon master who answers."""

import pickle
import random
from functools import lru_cache
from operator import contains
from typing import Any, NamedTuple

from agentrefine_lib.schema import COMPLETED, EXAMPLE_DRAWS, EXAMPLE_STEPS, Script, format_example
from agentrefine_lib.schema.actions import MAX_ACTION_CHARS, is_plain, placeholders, read_arguments
from agentrefine_lib.teachers.embedded.goals import condition, draw_form, put_goal
from agentrefine_lib.teachers.embedded.grammar import EXTRAS, Grammar
from agentrefine_lib.teachers.embedded.mechanic import Command, Expert, Fact, NoPlanError, Refusal, Rule, Step, World
from agentrefine_lib.teachers.embedded.mechanics import Mechanic, load_mechanic
from agentrefine_lib.teachers.embedded.names import NUMBERED_TRAITS, STYLES, Names, Noun, kinds_of
from agentrefine_lib.teachers.embedded.rendering import Rendering, sentence
from agentrefine_lib.teachers.embedded.thoughts import Refused, Voice

MOVES = range(4, 21)  # commands that an error-free play takes
DRAWS = 60  # worlds drawn for one game until one is of that length
SHORT = 0.7  # of the games are the shorter of two worlds
ANY = "any"  # in a name: whatever is drawn
PLAIN, KINDS = "plain", "kinds"  # in a name: a plain game, a game whose goal names kinds; see GameSpec
KIND = "kind"  # key of a script's environment: mechanic, costume and grammar that it was drawn from
LISTED = 9  # commands that a list of what is possible names, at most
MIXED = 0.3  # of the games draw their names from all costumes


class GameSpec(NamedTuple):
    """What a game is drawn from: a key, and the parts that are chosen instead of drawn."""

    key: str
    mechanic: str
    costume: str  # "" for one of all
    form: str = ""  # of the grammar; "" for any
    example: bool = False
    plain: bool = False  # few ways to say things; commands, names and goals differ all the same
    kinds: bool = False  # the goal names kinds, the world numbered things: "the red key" is red key 1

    @property
    def name(self) -> str:
        """Its parts, as in the name of a task."""
        flags = [PLAIN if self.plain else ANY, KINDS] if self.kinds else [PLAIN] * self.plain
        return "-".join([*self[1:4], *flags])


class Speech:
    """Everything about the surface of a game; the game and its example play share it."""

    def __init__(self, spec: GameSpec) -> None:
        rng = random.Random(f"speech {spec.key}")
        self.mechanic: Mechanic = load_mechanic(spec.mechanic)
        self.plain = spec.plain
        words = self.mechanic.words
        drawn = rng.choices(list(STYLES), list(STYLES.values()))[0]
        self.kinds, self.names = spec.kinds, NUMBERED_TRAITS if spec.kinds else drawn
        self.costume = "" if rng.random() < MIXED else spec.costume
        self.variant = rng.random()
        self.goal = draw_form(rng)
        self.grammar = Grammar(rng, words["operations"], spec.form, spec.plain)
        self.rendering = Rendering(rng, spec.mechanic, spec.plain)
        self.voice = Voice(rng, self.rendering, self.do, spec.plain)
        self._drawn: dict[str, bytes] = {}  # seed → its world; to read one is faster than to draw it again

    def do(self, command: Command, rng: random.Random) -> str:
        """A command as what somebody does: "pick up the key"."""
        if self.plain:
            return self.grammar.write(command)
        sayings: list[str] = self.mechanic.words["operations"][command[0]]["do"]
        fitting = [saying for saying in sayings if f"{{{len(command) - 1}" not in saying]
        return rng.choice(fitting).format(*map(Noun, command[1:]))

    def world(self, seed: str) -> World:
        """The world of a seed; all worlds of a game and its example are of one variant."""
        if seed not in self._drawn:
            rng = random.Random(seed)
            world = self.mechanic.world(rng, random.Random(self.variant), Names(rng, self.costume, self.names))
            self._drawn[seed] = pickle.dumps(world)
        return pickle.loads(self._drawn[seed])

    def kinds_in(self, world: World) -> dict[str, str]:
        """Name → kind, of the things that the goal calls by their kind."""
        slots = {slot for slots in self.mechanic.slots.values() for slot in slots} if self.kinds else ()
        return kinds_of({name for slot in slots for name in world.names(slot)})

    def count_moves(self, world: World, limit: int) -> int:
        """How many commands the expert needs; ``limit`` if it is more, 0 if it sees no way. Plays the world."""
        expert = world.expert()
        expert.notice(self.rendering.shown(world.opening()))
        for count in range(limit):
            if world.reached() == 1.0:
                return count
            try:
                command = expert.next().command
            except NoPlanError:
                return 0
            facts = world.act(command)
            expert.did(command)
            expert.notice(self.rendering.shown(facts))
        return limit


class Verdict(NamedTuple):
    """What a text is: a command, or why it is none or cannot be done now."""

    command: Command | None
    refusal: Refusal | None


class Answer(NamedTuple):
    """What the dungeon master says to an action. ``informed``: a refusal that tells its reason."""

    observation: str
    verdict: Verdict
    informed: bool = True


class Game:
    """A game in play. ``expert`` is told what the Player is told, whoever plays."""

    def __init__(self, speech: Speech, seed: str, script: Script, moves: int) -> None:
        self.speech, self.script, self.moves = speech, script, moves
        self.world = speech.world(seed)
        self.slots = {name: kinds for name, kinds in speech.mechanic.slots.items() if name not in self.world.unused}
        self.expert: Expert = self.world.expert()
        self.seen: set[str] = set()
        self._rng = random.Random(f"answers {seed}")
        self._operation_of = {form.signature: form for form in speech.grammar.forms.values()}
        self._kinds = speech.kinds_in(self.world)
        aims = [_renamed(aim, self._kinds) for aim in self.world.aims]
        self._hear([*aims, *(rule for rule in self.world.rules if not isinstance(rule, Rule))])
        self.observation = self._observe(self.world.opening())  # the first

    @property
    def done(self) -> bool:
        return self.world.reached() == 1.0

    def told(self, kind: str) -> list[str]:
        """Values of a kind of parameter that were told so far, or need not be told."""
        free = kind in self.speech.mechanic.words.get("free", ())
        return [name for name in self.world.names(kind) if free or name in self.seen]

    def judge(self, text: str) -> Verdict:
        """What a text is in the world as it stands."""
        command = self._read(text)
        if isinstance(command, Refusal):
            return Verdict(None, command)
        return Verdict(command, None if command[0] in EXTRAS else self.world.check(command))

    def spelt(self, action: str) -> str:
        """One spelling: blanks and a final full stop do not matter, nor does case in what is no command as it is."""
        text = " ".join(action.split())
        plain = text.rstrip(".")
        for spelling in (text, plain, plain.lower(), plain.upper()):
            refusal = self.judge(spelling).refusal
            if refusal is None or refusal.kind not in ("malformed", "wrong_name"):
                return spelling
        return text

    def answer(self, text: str) -> Answer:
        verdict = self.judge(text)
        command, refusal = verdict
        rendering = self.speech.rendering
        if refusal is not None:
            do = self.speech.do(command, self._rng) if command else ""
            said, informed = rendering.refuse(self._rng, rendering.clause(refusal.fact), do)
            return Answer(said, verdict, informed)
        assert command is not None
        if command[0] == "help":
            return Answer(rendering.help.format("; ".join(self.listing())), verdict)
        if command[0] == "look":
            return Answer(self._observe(self.world.scene()), verdict)
        facts = self.world.act(command)
        self.expert.did(command)
        if rendering.full and not self.done:
            facts = [*facts, *(fact for fact in self.world.scene() if fact not in facts)]
        observation = self._observe(facts)
        if self.done:
            return Answer(f"{observation} {COMPLETED}", verdict)
        if rendering.lists_actions:
            observation += f"\n{rendering.help.format('; '.join(self.listing()))}"
        return Answer(observation, verdict)

    def refused(self, action: str, answer: Answer) -> Refused:
        """What whoever plays knows of a refusal: why, where it was told or is plain to see."""
        refusal = answer.verdict.refusal
        assert refusal is not None
        plain = answer.informed or refusal.seen
        return Refused(action, answer.observation, self.speech.rendering.clause(refusal.fact) if plain else "")

    def known(self, step: Step) -> Step:
        """A step in the Player's words: what was not seen yet is called as the goal calls it."""
        unseen = {name: kind for name, kind in self._kinds.items() if name not in self.seen}
        if not unseen:
            return step
        fields: dict[str, Any] = step._asdict()
        told = {name: _renamed(part, unseen) for name, part in fields.items() if isinstance(part, tuple)}
        return Step(**fields | told)._replace(target=unseen.get(step.target, step.target))

    def valid_actions(self, told: bool = False) -> list[str]:
        """Every command that would be accepted now, sorted; ``told``: only about what the Player was told of."""
        if self.done:
            return []
        known = {kind: set(self.told(kind)) for kinds in self.slots.values() for kind in kinds} if told else {}
        pools = {name: [known[kind] for kind in kinds] for name, kinds in self.slots.items()} if told else {}
        found = {
            self.speech.grammar.write(command)
            for command in self.world.commands(self.slots)
            if (not told or all(map(contains, pools[command[0]], command[1:]))) and self.world.check(command) is None
        }
        extras = [form.signature for name, form in self.speech.grammar.forms.items() if name in EXTRAS]
        return sorted(found) if told else sorted([*found, *extras])

    def listing(self) -> list[str]:
        """Some of what is possible now, the expert's next command among it where it knows one."""
        try:
            right = [self.speech.grammar.write(self.expert.next().command)]
        except NoPlanError:  # whoever plays went where the expert finds no way from
            right = []
        others = [action for action in self.valid_actions(told=True) if action not in right]
        return sorted([*right, *self._rng.sample(others, min(len(others), LISTED - len(right)))])

    def _read(self, text: str) -> Command | Refusal:
        """The command that a text is, read as the verifier reads it, or what is wrong with it."""
        if len(text) > MAX_ACTION_CHARS or not is_plain(text):
            return Refusal("malformed", ("no_command", text[:20].encode("ascii", "replace").decode()))
        wrong: Refusal | None = None
        begun = text.lstrip()
        for signature, spec in self.script.available_actions.items():
            form = self._operation_of[signature]
            if not begun.startswith(form.head):  # most forms; RE2 costs more
                continue
            found = read_arguments(spec.verification_code, text)
            if found is None:
                continue
            named = zip(placeholders(signature), found, strict=True)
            unknown = [value for name, value in named if not spec.admits(name, value)]
            if not unknown:
                values = dict(zip(form.order, found, strict=True))
                return (form.operation, *(values[index] for index in sorted(values)))
            wrong = Refusal("wrong_name", ("unknown_name", unknown[0]))
        return wrong or self._malformed(text)

    def _malformed(self, text: str) -> Refusal:
        for signature in self.script.available_actions:
            if text.startswith(self._operation_of[signature].verb):
                return Refusal("malformed", ("needs_form", signature))
        return Refusal("malformed", ("unknown_verb", text.split(" ")[0].split("[")[0].split("(")[0][:30] or text[:10]))

    def _observe(self, facts: list[Fact]) -> str:
        """Tell facts to the Player and to the expert."""
        shown = self.speech.rendering.shown(facts)
        self._hear(shown)
        self.expert.notice(shown)
        return self.speech.rendering.observe(self._rng, self.speech.rendering.tell(shown))

    def _hear(self, facts: list[Fact]) -> None:
        self.seen.update(name for fact in facts for name in fact[1:])


def _renamed(parts: tuple[str, ...], names: dict[str, str]) -> tuple[str, ...]:
    return tuple(names.get(part, part) for part in parts)


def draw_game(spec: GameSpec) -> Game:
    """The game of a spec, as at the start of the play."""
    return Game(*_draw(spec))


@lru_cache(maxsize=256)
def _draw(spec: GameSpec) -> tuple[Speech, str, Script, int]:
    """What makes the game. Games are asked for twice, to write the script and to play it; many may be under way."""
    speech = Speech(spec)
    wanted = 1 + (random.Random(f"short {spec.key}").random() < SHORT)
    found: list[tuple[int, str]] = []
    for seed in (f"world {spec.key} {number}" for number in range(DRAWS)):
        moves = speech.count_moves(speech.world(seed), MOVES.stop)
        found += [(moves, seed)] if moves in MOVES else []
        if len(found) == wanted:
            break
    if found:
        moves, seed = min(found)
        example = _example(spec, speech) if spec.example else ""
        return speech, seed, _script(spec, speech, seed, example), moves
    raise ValueError(f"{spec.mechanic}: none of {DRAWS} worlds takes {MOVES.start} to {MOVES.stop - 1} commands")


def _script(spec: GameSpec, speech: Speech, seed: str, example: str = "") -> Script:
    world, words = speech.world(seed), speech.mechanic.words
    kinds = speech.kinds_in(world)
    rng = random.Random(f"goal {seed}")
    actions = list(speech.grammar.specs(world).items())
    random.Random(f"order {spec.key}").shuffle(actions)
    rules = [
        speech.rendering.rule(rule, speech.grammar.write(rule.command))
        if isinstance(rule, Rule)
        else sentence(speech.rendering.clause(rule))
        for rule in world.rules
    ]
    return Script(
        environment={KIND: spec.name, **world.layout()},
        goal=put_goal(rng, speech.goal, words, [_renamed(aim, kinds) for aim in world.aims]),
        completion_conditions=[condition(words, aim) for aim in world.aims],
        available_actions=dict(actions),
        rules=("\n" if any(isinstance(rule, Rule) for rule in world.rules) else " ").join(rules),
        example=example,
    )


def _example(spec: GameSpec, speech: Speech) -> str:
    """The first steps of an expert's play of another world, as text."""
    seeds = [f"example {spec.key} {number}" for number in range(EXAMPLE_DRAWS)]
    moves = {seed: speech.count_moves(speech.world(seed), EXAMPLE_STEPS) for seed in seeds}
    seed = min((seed for seed in seeds if moves[seed] > 1), key=lambda seed: moves[seed], default="")
    if not seed:
        return ""
    game, rng = Game(speech, seed, _script(spec, speech, seed), moves[seed]), random.Random(f"thoughts {seed}")
    shown: list[tuple[str, str, str]] = []
    last = game.observation
    for _ in range(moves[seed]):
        step = game.expert.next()
        action = speech.grammar.write(step.command)
        known, said = game.known(step), game.answer(action).observation
        thought = speech.voice.think(rng, purpose_of(game, step), known, action, last)
        shown.append((thought, action, said))
        last = said
    return format_example(game.script.goal, game.observation, shown)


def purpose_of(game: Game, step: Step) -> str:
    """What a step is for; "finish" once it has ended the game."""
    return "finish" if game.done else "explore" if step.explores else "act"

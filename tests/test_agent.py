"""Reading replies, showing episodes in both layouts, and leaving out what does not fit."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from agentrefine_lib.agent import KEEP, Prompting, Prompts, drop_oldest
from agentrefine_lib.environments.process import Opening
from agentrefine_lib.schema import Episode, Step, Task, parse_reply


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        # as asked
        ("Thought: I see it.\nAction: take cup", ("I see it.", "take cup", True)),
        ("thought: a\naction:  'take cup.'", ("a", "take cup", True)),
        ("Thought: one line\nand another\n\nAction: take cup", ("one line\nand another", "take cup", True)),
        ("I see it.\nAction: take cup", ("I see it.", "take cup", True)),
        # more than asked: the first action counts
        ("Action: take cup.\nAction: put cup", ("", "take cup", True)),
        (
            "Thought: a\nAction: take cup\nObservation: you have it\nThought: b\nAction: put cup",
            ("a", "take cup", True),
        ),
        # other wrappings
        ("Thought: a\nAction:\n```\ntake cup\n```", ("a", "take cup", True)),
        ("```text\nThought: a\nAction: take cup\n```", ("a", "take cup", True)),
        ("Action: ```take cup```", ("", "take cup", True)),
        ('Action: "take cup"', ("", "take cup", True)),
        ("Action: > take cup", ("", "take cup", True)),
        ("Action:\n\ntake cup", ("", "take cup", True)),
        ("<think>Action: put cup</think>\nThought: a\nAction: take cup", ("a", "take cup", True)),
        ("Action: put cup? no</think>Action: take cup", ("", "take cup", True)),
        # announced otherwise, so not well formed
        ("**Thought:** a\n\n**Action:** take cup", ("a", "take cup", False)),
        ("Next action: take cup", ("", "take cup", False)),
        ("Thought: my hands are free\nMy next action would be:\ntake cup", ("my hands are free", "take cup", False)),
        ("I see it.\nThe best action is to take cup.", ("I see it.", "take cup", False)),
        ("Thought: I see it. Action: take cup", ("I see it.", "take cup", False)),
        ("### Action 2: take cup", ("", "take cup", False)),
        # no word of an action
        ("take cup\nbecause I want to", ("", "take cup", False)),
        ("Thought: I see it.\ntake cup", ("I see it.", "take cup", False)),
        ("Thought: the next action: none", ("", "Thought: the next action: none", False)),
        ("<think>The cup is", ("", "", False)),
        ("Thought: none\nAction:", ("none", "", False)),
        ("", ("", "", False)),
        # hands off what belongs to the action
        ("Action: search[U.S. Route 1]", ("", "search[U.S. Route 1]", True)),
        ("Action: take(cup 1, shelf)", ("", "take(cup 1, shelf)", True)),
        ("Action: search[Observation: A Film] ", ("", "search[Observation: A Film]", True)),
        ("Action: search(title=In Action: A Film)", ("", "search(title=In Action: A Film)", True)),
        ('Action: say "hello"', ("", 'say "hello"', True)),
    ],
)
def test_replies_are_taken_apart(text, expected):
    assert tuple(parse_reply(text))[:3] == expected


TREE = "You see a tree."


@pytest.mark.parametrize(
    "reply",
    [
        # what is invented stands in the same line, or comes before the first line that begins with Action:
        f"Action: go north Observation: {TREE}",
        f"action: go north observation: {TREE}",
        f"Action: go northObservation: {TREE}",
        f"Thought: a Action: go north\nObservation: {TREE}\nThought: b\nAction: go south",
        f"go north\nObservation: {TREE}\nAction: go south",
        f"**Action:** go north\n\n**Observation:** {TREE}\n\nAction: go south",
        f"Next action: go north\nUser: {TREE}\nAction: go south",
        f'{{"action": "go north"}}\nObservation: {TREE}\n{{"action": "go south"}}',
        f"go north<|im_end|>\n<|im_start|>user\n{TREE}<|im_end|>\n<|im_start|>assistant\nAction: go south",
        "Action: go north. Thought: b Action: go south",
        # what is no invention
        "From the observation: a tree.\nAction: go north",
        "Thought: From the Observation: a tree. Action: go north",
        "I see it.\nObservation: a tree\nAction: go north",
        # colons, headings, marks
        "Thought：a\nAction：go north",
        "### Thought\na\n\n### Action\ngo north\n\n### Observation\nb\n\n### Action\ngo south",
        "<thought>a</thought>\n<action>go north</action>",
        "[Thought] a\n[Action] go north",
        "**Action** `go north`, then on",
        "1. Thought: a\n2. Action: go north",
        "Action -> go north",
        "Action: Action: go north",
        "Action[2]: go north;",
        "__Action:__ 「go north」",
        "<answer>go north</answer>",
        f"Action: go north -> (Observation: {TREE})",
        "Thought: a\\nAction: go north\\nObservation: b",
        "Action:\nThought: a\nAction: go north",
        "Action: [go north]",
        "Action: <go north>",
        "Action:\n1. go north\n2. go south",
        "\ufeffAction: go\xa0north\u2028Observation: b",
        # JSON
        '```json\n{"action": "go north"}\n```',
        '```\n{\n  "thought": "Observation: no",\n  "Action": "go north",\n  "observation": "b"\n}\n```',
        'Here it is: {"thought": "a {b", "next_action": ["go north"]}',
        "{'thought': 'I don\\'t know', 'action': 'go north'}",
        'Action: {"action": "go north"}',
        '"Action": "go north"',
        '{"thought": "a", "action": "go north',
        # tokens of chat templates, and reasoning
        *(
            f"Thought: a\nAction: go north{end}"
            for end in ("<|im_end|>", "<|eot_id|>", "</s>", "<|end|>", "<end_of_turn>")
        ),
        "<|start_header_id|>assistant<|end_header_id|>\n\nThought: a\nAction: go north<|eot_id|>",
        "Action: go north<｜end▁of▁sentence｜>",
        "Action: go north</think>",
        'Thought: "</think>" is a tag.\nAction: go north',
        '{"thought": "they say </think> here", "action": "go north"}',
        "[THINK]Action: go south[/THINK]Action: go north",
    ],
)
def test_the_first_action_is_taken_whatever_its_form(reply):
    read = parse_reply(reply)
    assert read.action == "go north"
    for invented in (TREE, "go south", "<|", "</s>", "<end_of_turn>"):
        assert invented not in read.said
    again = parse_reply(read.said)
    assert (again.action, again.thought, again.said) == ("go north", read.thought, read.said)


@given(
    st.text(max_size=400)
    | st.lists(st.sampled_from(["Action", ":", "\n", "```", "<think>", "next ", "*"])).map("".join)
)
def test_any_reply_is_read(text):
    reply = parse_reply(text)
    assert len(reply.action) <= 200 and "\n" not in reply.action


OPENING = Opening("You see a cup.", "Heat the cup.", "Be quick.", {"take {object}": "pick something up"}, "v1")
TASK = Task(engine="kitchen", name="heat", seed=1)
STEPS = [
    Step(reply="Thought: a\nAction: take cup", thought="a", action="take cup", observation="Taken.", progress=0.5),
    Step(reply="<think>hm</think>Action: heat", thought="", action="heat", observation="How?", progress=0.5),
]


def example(name="heat", seed=2):
    task = Task(engine="kitchen", name=name, seed=seed)
    played = {"goal": f"{name} {seed}", "observation": "You see tea.", "steps": STEPS[:1], "progress": 0.5}
    return Episode(id=f"expert/{task.id}", policy="expert", task=task, success=True, engine_version="v1", **played)


def test_the_chat_layout_has_a_message_per_turn():
    first, *rest = Prompting().chat(TASK, OPENING, STEPS)
    assert first["role"] == "user"
    for part in ("Be quick.", "- take {object}", "Goal: Heat the cup.", "Observation: You see a cup."):
        assert part in first["content"]
    assert [(m["role"], m["content"]) for m in rest] == [
        ("assistant", "Thought: a\nAction: take cup"),
        ("user", "Observation: Taken."),
        ("assistant", "Action: heat"),
        ("user", "Observation: How?"),
    ]


def test_nothing_that_the_model_has_invented_is_shown_to_it_again():
    invented = "<think>hm</think>Thought: a\nAction: heat\nObservation: Hot!\nThought: b\nAction: eat<|im_end|>"
    step = STEPS[1].model_copy(update={"reply": invented})
    assert Prompting().chat(TASK, OPENING, [step])[1]["content"] == "Thought: a\nAction: heat"


def test_the_single_layout_is_one_message_for_the_model_to_continue():
    (message,) = Prompting(layout="single").chat(TASK, OPENING, STEPS)
    assert message["role"] == "user"
    assert "- take {object}: pick something up\n" in message["content"]
    assert message["content"].endswith(
        "\n\nGoal: Heat the cup.\n"
        "When an action is not understood, this one lists those that are: check valid actions\n"
        "\nObservation: You see a cup.\nAction: take cup\nObservation: Taken.\nAction: heat\nObservation: How?\nAction:"
    )


@pytest.mark.parametrize(
    ("written", "reply"),
    [
        (" take cup", "Action: take cup"),
        (" take cup\nObservation: Taken.\nAction: eat cup", "Action: take cup\nObservation: Taken.\nAction: eat cup"),
        ("Action: take cup", "Action: take cup"),
        ("Thought: a\nAction: take cup", "Thought: a\nAction: take cup"),
        ("Thought: a\ntake cup", "Thought: a\nAction: take cup"),
        ("**Action:** take cup\n\nThis is", "Action: take cup"),
    ],
)
def test_what_continues_the_single_layout_is_an_action(written, reply):
    assert Prompting(layout="single").reply(written) == reply
    assert Prompting().reply(written) == written


@pytest.mark.parametrize("layout", ["chat", "single"])
def test_an_example_is_shown_once_before_the_goal_in_the_form_to_be_written(layout):
    prompting = Prompting(layout, examples=(example("wash"), example("heat"), example("heat", 3)))
    text = prompting.chat(TASK, OPENING, STEPS)[0]["content"]
    thought = "Thought: a\n" if layout == "chat" else ""
    shown = f"Goal: heat 2\nObservation: You see tea.\n{thought}Action: take cup\nObservation: Taken.\n"
    assert shown in text.partition("Goal: Heat the cup.")[0] and "wash" not in text and "heat 3" not in text
    other = Task(engine="kitchen", name="freeze")
    assert "Goal: wash 2\n" in prompting.chat(other, OPENING, [])[0]["content"]  # the engine's first
    elsewhere = Task(engine="garden", name="heat")
    assert "wash" not in prompting.chat(elsewhere, OPENING, [])[0]["content"]


def test_a_task_is_never_its_own_example():
    with pytest.raises(ValueError, match="the example for kitchen/heat/2 is that task, solved"):
        Prompting(examples=(example("heat", 2),)).chat(Task(engine="kitchen", name="heat", seed=2), OPENING, [])


def test_the_ladder_goes_from_an_example_and_a_list_to_neither():
    shown = Prompting(examples=(example("heat", 2),))
    assert list(Prompts(ladder=20).rungs(shown).values()) == [(20, shown), (0, shown), (0, Prompting())]
    assert Prompts().rungs(shown) == {"with an example": (0, shown)}  # no ladder: what all other tables show
    assert Prompts(valid_actions=5).rungs(shown) == {"as in table 1": (5, shown)}
    assert Prompts().rungs(Prompting()) == {"with neither": (0, Prompting())}


def test_an_unknown_layout_is_named():
    with pytest.raises(ValueError, match="layout"):
        Prompts(layout="plain")


@pytest.mark.parametrize(
    ("observations", "dropped", "expected"),
    [
        ([10] * 5, 0, 0),  # 50 + 5 * 10 fit into 100
        ([10] * 6, 0, 3),  # the history down to KEEP of 50
        ([10] * 9, 3, 6),
        ([10] * 9, 4, 4),  # nothing more has to go
        ([10, 45], 0, 1),  # the last one stays although more than KEEP remains
        ([10, 60], 0, 2),  # the last one alone is too long
        ([], 0, 0),
    ],
)
def test_the_oldest_exchanges_go_first(observations, dropped, expected):
    assert KEEP == 0.6
    assert drop_oldest(len(observations), dropped, lambda n: 50 + sum(observations[n:]), room=100) == expected


def test_a_first_message_that_does_not_fit_is_refused():
    with pytest.raises(ValueError, match="the first message needs 101 of 100 tokens; raise context"):
        drop_oldest(3, 0, lambda n: 101 + (3 - n), room=100)

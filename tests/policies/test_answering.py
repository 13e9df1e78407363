"""Plain questions: asked once, continued after a stop, and mixed into a training set."""

import asyncio

import pandas as pd

from agentrefine_lib import metrics
from agentrefine_lib.dataset import instructions, mixed, rehearsal
from agentrefine_lib.policies import LocalPolicy, answer_all
from agentrefine_lib.schema import Answer, Conversation, Message, Question, read_jsonl


def test_what_is_on_disk_is_not_asked_again_and_says_the_same(tiny, tmp_path):
    model = LocalPolicy(tiny, "tiny-0", context=512, reply_tokens=5)
    asked = [*instructions(40), Question(id="two", turns=["Hello?", "Again?"])]
    whole = asyncio.run(answer_all(model, asked, tmp_path / "whole.jsonl")).read_bytes()
    lines = whole.splitlines(keepends=True)
    (tmp_path / "cut.jsonl").write_bytes(b"".join(lines[:35]) + lines[35][:20])  # as a kill leaves it
    assert asyncio.run(answer_all(model, asked, tmp_path / "cut.jsonl")).read_bytes() == whole
    last = list(read_jsonl(tmp_path / "whole.jsonl", Answer))[-1]
    assert last.id == "tiny-0/two" and len(last.replies) == 2 and last.cut


def test_answers_that_end_are_spread_evenly_among_the_trajectories():
    asked = instructions(4)
    said = [
        Answer(id=f"m/{q.id}", model="m", question=q.id, replies=[text], cut=cut)
        for q, text, cut in zip(asked, ["a", "b", "c", ""], [False, True, False, False], strict=True)
    ]
    general = rehearsal(asked, said)
    assert [row.id for row in general] == ["g-0000", "g-0002"]
    assert [(m.role, m.is_trained) for m in general[0].conversations] == [("user", False), ("assistant", True)]
    rows = [Conversation(id=f"t-{n}", conversations=[Message(sender="human", value="x")]) for n in range(4)]
    assert [row.id for row in mixed(rows, general)] == ["t-0", "g-0000", "t-1", "t-2", "g-0002", "t-3"]


def test_an_instruction_is_followed_when_every_check_is_passed(tmp_path):
    asked = [Question(id="a", turns=["?"], checks={"words": [1, 1], "lacks": ["x"]}), Question(id="b", turns=["?"])]
    path = tmp_path / "m-0.jsonl"
    path.write_text("\n".join(Answer(id=f"m-0/{n}", model="m-0", question=n, replies=["x"]).to_json() for n in "ab"))
    models = pd.DataFrame([{"policy": "m-0", "method": "m", "seed": 0}])
    (row,) = metrics.followed([path], asked[:1], models).to_dict("records")
    assert (row["method"], row["task"], row["success"], row["checks"]) == ("m", "general/a", False, 0.5)
    (told,) = metrics.summarise(metrics.followed([path], asked[:1], models)).to_dict("records")
    assert (told["metric"], told["k"], told["n"]) == ("success", 0, 1) and told["high"] > 0.7  # Wilson's interval

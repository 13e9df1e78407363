"""Whatever is in a file or a reply: a result, or an error of its kind that says where. Never another one, never a hang.

``HYPOTHESIS_PROFILE=fuzz pytest tests/hostile`` tries 5,000 examples of each property instead of 100.
"""

import io
import json
import re
import time
from contextlib import redirect_stdout
from pathlib import Path

import pytest
import yaml
from attacks import GOOD, lines_of, patient, spoilt, texts, values
from hypothesis import given
from hypothesis import strategies as st
from transformers import AutoTokenizer

from agentrefine_lib.dataset import read_conversations, to_conversation, write_conversations
from agentrefine_lib.endpoint import Completion
from agentrefine_lib.endpoint.prices import PriceError, load_prices
from agentrefine_lib.environments.agentboard import load_labels
from agentrefine_lib.environments.pddl.environment import Pddl
from agentrefine_lib.results.artefacts import FILE, load_artefacts
from agentrefine_lib.runner.parameters import declared_parameters, fit
from agentrefine_lib.runner.profile import (
    CHAPTERS,
    ProfileError,
    load_profile,
    read_chapters,
    read_overrides,
    read_values,
)
from agentrefine_lib.schema import (
    CodeError,
    Conversation,
    Episode,
    Message,
    SchemaError,
    Step,
    Task,
    Trajectory,
    compile_code,
    parse_reply,
    read_jsonl,
)
from agentrefine_lib.schema.actions import read_arguments
from agentrefine_lib.teachers.recovery import recover_json
from agentrefine_lib.tuning import IGNORED, MaskError, encode
from agentrefine_lib.tuning.variants import plan
from agentrefine_lib.verify import Finding, Rejection, check_file, check_trajectories, check_trajectory
from agentrefine_lib.verify.__main__ import report_trajectories
from agentrefine_lib.viewers import Index
from agentrefine_lib.viewers.render import record_page

MODELS = [Trajectory, Conversation, Episode, Rejection, Completion, Task]


@pytest.fixture(scope="module")
def folder(tmp_path_factory) -> Path:
    return tmp_path_factory.mktemp("hostile")


def told(error: Exception, path: Path) -> None:
    """Where it is, in characters that can be written to any log."""
    assert str(error).startswith(f"{path}:")
    str(error).encode()


@pytest.mark.parametrize("model", MODELS)
@patient
@given(data=st.data())
def test_a_file_is_records_or_a_named_line(model, folder, data):
    path = folder / "r.jsonl"
    path.write_bytes(data.draw(lines_of([*GOOD.values()])))
    try:
        for record in read_jsonl(path, model):
            assert model.model_validate_json(record.to_json(), by_alias=True, by_name=False) == record
    except SchemaError as error:
        told(error, path)


@patient
@given(data=st.data())
def test_a_file_is_a_data_set_or_a_named_row(folder, data):
    content = data.draw(lines_of([GOOD["Conversation"]]))
    for name in ("c.jsonl", "c.parquet"):
        (folder / name).write_bytes(content)
        try:
            found = list(read_conversations(folder / name))
            assert list(read_conversations(folder / name)) == found
        except SchemaError as error:
            told(error, folder / name)
        try:
            assert all(line.isprintable() for line in str(check_file(folder / name)).split("\n"))
        except SchemaError as error:
            told(error, folder / name)


@patient
@given(data=st.data())
def test_parquet_with_other_bytes_in_it_is_a_data_set_or_refused(folder, data):
    path = folder / "p.parquet"
    write_conversations(path, [Conversation.model_validate(GOOD["Conversation"])] * 3)
    content = bytearray(path.read_bytes())
    for _ in range(data.draw(st.integers(1, 8))):
        content[data.draw(st.integers(0, len(content) - 1))] = data.draw(st.integers(0, 255))
    path.write_bytes(content)
    try:
        list(read_conversations(path))
    except SchemaError as error:
        told(error, path)


@patient
@given(data=st.data())
def test_every_line_gets_a_verdict_that_can_be_written(folder, data):
    path = folder / "t.jsonl"
    path.write_bytes(data.draw(lines_of([GOOD["Trajectory"]])))
    verdicts = list(check_trajectories(path, processes=1))
    assert len(verdicts) == sum(bool(line.strip()) for line in path.read_bytes().split(b"\n"))
    for verdict in verdicts:
        if verdict.finding:
            assert verdict.finding.detail.isprintable()
    with redirect_stdout(io.StringIO()) as said:
        report_trajectories(str(path), processes=1, min_refinements=0)
    assert all(line.isprintable() for line in said.getvalue().split("\n"))


@patient
@given(data=st.data())
def test_a_fit_trajectory_can_be_learned_from(data):
    raw = data.draw(spoilt(GOOD["Trajectory"], texts | st.booleans() | st.integers(-1, 30)))
    finding = check_trajectory(raw, min_refinements=0)
    if finding is None:
        to_conversation(Trajectory.model_validate(raw, by_alias=True, by_name=False))
    else:
        assert isinstance(finding, Finding)


@patient
@given(data=st.data())
def test_what_can_be_opened_can_be_shown(folder, data):
    path = folder / "v.jsonl"
    path.write_bytes(data.draw(lines_of([*GOOD.values()])))
    try:
        index = Index(path)
    except SchemaError as error:
        told(error, path)
        return
    for number in range(len(index)):
        try:
            record_page(index.record(number)).encode()
        except SchemaError as error:
            told(error, path)
    index.search(data.draw(texts), range(len(index)))


@patient
@given(data=st.data())
def test_a_play_that_is_one_becomes_a_conversation_or_is_named(data):
    raw = data.draw(spoilt(GOOD["Trajectory"], texts))
    try:
        trajectory = Trajectory.model_validate(raw, by_alias=True, by_name=False)
    except ValueError:
        return
    try:
        for strategy in ("refinement", "all_turns", "no_refinement", "last_turn"):
            to_conversation(trajectory, strategy)
    except ValueError as error:
        assert str(error).startswith(f"{trajectory.id}: ")


PROFILE = {
    "run_dir": "runs/x",
    "figures_dir": "f",
    "n": 3,
    "extends": "x",
    "notebooks": ["a"],
}
yamls = (
    st.binary(max_size=80)
    | spoilt(PROFILE).map(lambda made: yaml.safe_dump(made, allow_unicode=True).encode(errors="replace"))
    | st.lists(
        st.sampled_from(["&a ", "*a", "- ", "? ", ": ", "[", "{", "!!python/object:os.system ", "2026-99-99", "\n"])
    )
    .map("".join)
    .map(str.encode)
    | st.sampled_from(
        [b"[" * 3_000, b"a: &a [*a]\nnotebooks: []", b"%YAML 9.9\n---\n", b"? {a: b}\n: c", b"1: 2\n1: 3"]
    )
)


@patient
@given(content=yamls)
def test_a_profile_is_read_or_refused(folder, content):
    (folder / "params").mkdir(exist_ok=True)
    for name, read, refused in (
        ("x.yaml", lambda file: read_values(file) and load_profile("x", folder), ProfileError),
        (CHAPTERS, lambda file: read_chapters(folder), ProfileError),
        ("prices.yaml", load_prices, PriceError),
        (FILE.name, lambda file: load_artefacts(folder), ValueError),
    ):
        (folder / "params" / CHAPTERS).write_text("- {name: a, outputs: [b]}\n")
        file = folder / "params" / name
        file.write_bytes(content)
        try:
            read(file)
        except refused as error:
            str(error).encode(errors="strict")
            assert name in str(error) or "notebooks/a.ipynb does not exist" in str(error)


@patient
@given(words=st.lists(texts, max_size=3), value=texts)
def test_an_override_is_read_or_becomes_a_problem(words, value):
    problems = []
    given_ = list(read_overrides([*words, f"n={value}"], problems))
    assert len(given_) + len(problems) == len(words) + 1


@patient
@given(annotation=st.sampled_from(["int", "float | None", "list[str]", "dict[str, list[int]]", "bool"]), value=values)
def test_a_value_fits_or_is_refused(annotation, value):
    try:
        fit(annotation, value)
    except ValueError as error:
        assert "expected" in str(error)


@patient
@given(
    cell=texts
    | st.lists(st.sampled_from(["a", ": ", "int", " = ", "3", "\n", "#", "(", "os.system('x')"])).map("".join)
)
def test_a_parameters_cell_is_read_and_never_run(folder, cell):
    made = {"cell_type": "code", "source": [cell], "metadata": {"tags": ["parameters"]}}
    path = folder / "n.ipynb"
    path.write_text(json.dumps({"cells": [made]}))
    problems = []
    declared_parameters(path, problems)
    assert all(problem.startswith(f"{folder.name}/n.ipynb") for problem in problems)


@patient
@given(models=st.dictionaries(texts, spoilt({"variant": "v", "seeds": [1], "conversations": 3}), max_size=2))
def test_models_are_planned_or_named(models):
    try:
        plan(models)
    except ValueError as error:
        assert str(error).startswith("models: ")


@given(text=texts | st.text("ab/0123456789٣² ", max_size=12))
def test_a_task_id_is_a_task_or_refused(text):
    try:
        task = Task.from_id(text)
    except ValueError:
        return
    assert Task.from_id(task.id) == task


@pytest.mark.parametrize("engine", ["babyai", "scienceworld", "alfworld", "jericho", "pddl"])
@patient
@given(data=st.data())
def test_labels_are_read_or_named(folder, engine, data):
    label = {"id": 1, "goal": "g", "subgoals": ["a"], "difficulty": "easy", "task": engine, "additional_info": {}}
    label["additional_info"] = {"env_name": "x", "var": 0, "description": "x/y", "subtask": "gripper", "level": "x"}
    (folder / "l.jsonl").write_bytes(data.draw(lines_of([label])))
    try:
        load_labels(folder / "l.jsonl", engine, folder)
    except ValueError as error:  # SchemaError is one
        assert str(error).startswith(str(folder))


DOMAIN = """(define (domain d) (:requirements :strips :typing) (:types place thing - object box - thing)
  (:constants hall - place) (:predicates (at ?t - thing ?p - place) (full ?t - box) (lit))
  (:action carry :parameters (?t - thing ?from ?to - place) :precondition (and (at ?t ?from) (not (= ?from ?to)) (lit))
    :effect (and (at ?t ?to) (not (at ?t ?from))))
  (:action fill :parameters (?b - box) :precondition (not (full ?b)) :effect (full ?b))
  (:action light :parameters () :effect (lit)))"""
PROBLEM = """(define (problem p) (:domain d) (:objects attic - place b - box c - thing)
  (:init (at b hall) (at c attic)) (:goal (and (at c hall) (full b) (not (at b hall)))))"""
WORDS = [
    "(",
    ")",
    "()",
    "-",
    "=",
    "?x",
    ":goal",
    ":init",
    ":action",
    "not",
    "and",
    "object",
    "at",
    "full",
    "hall",
    "b",
    ";",
    "\0",
]


@st.composite
def respelt(draw, text):
    """A PDDL file with a few of its words dropped, doubled, or in other places, or something else instead."""
    words = re.findall(r"[()]|[^\s()]+", text)
    for _ in range(draw(st.integers(0, 4))):
        at, other = draw(st.integers(0, len(words) - 1)), draw(st.integers(0, len(words)))
        new = {"drop": [], "double": [words[at]] * 2, "copy": words[min(at, other) : max(at, other)], "new": draw(NEW)}
        words[at : at + 1] = new[draw(st.sampled_from(sorted(new)))] or [" "]
    return "\n".join(words)  # a comment ends with its line


NEW = st.lists(st.sampled_from(WORDS) | texts, max_size=2)


@patient
@given(domain=respelt(DOMAIN) | texts, problem=respelt(PROBLEM) | texts, commands=st.lists(texts, max_size=3))
def test_pddl_files_are_a_problem_that_plays_or_named(folder, domain, problem, commands):
    play_pddl(folder, domain.encode(errors="surrogatepass"), problem.encode(errors="surrogatepass"), commands)


def play_pddl(folder, domain, problem, commands):
    paths = folder / "d.pddl", folder / "p.pddl"
    for path, content in zip(paths, (domain, problem), strict=True):
        path.write_bytes(content)
    env = Pddl()
    try:
        first = env.reset(Task(engine="pddl", name=f"{paths[0]}:{paths[1]}"))
    except ValueError as error:
        assert str(error).startswith((f"{folder}/", "more than")) and str(error).isprintable()
        return
    assert env.goal and isinstance(first, str)
    for command in [*env.valid_actions()[:3], *commands, *[action for _, (_, action) in zip(range(3), env.expert())]]:  # noqa: B905
        result = env.step(command)
        assert result.observation and 0 <= result.progress <= 1
        assert result.error in (None, "format", "parameter", "logic")


@pytest.fixture(scope="module")
def tokenizer(tiny):
    return AutoTokenizer.from_pretrained(tiny)


@patient
@given(said=st.lists(texts, min_size=2, max_size=6))
def test_a_mask_is_exact_or_refused_whatever_is_said(tokenizer, said):
    """A text cannot play the part of a special token: as many ends of a turn are trained as trained replies."""
    messages = [
        Message(sender=("human", "gpt")[n % 2], value=text, loss=None if n % 2 == 0 else n % 4 == 1)
        for n, text in enumerate(said)
    ]
    try:
        example = encode(Conversation(id="c", conversations=messages), tokenizer)
    except MaskError as error:
        assert str(error).startswith("c: ")
        return
    trained = [label for label in example.labels if label != IGNORED]
    ends = sum(m.sender == "gpt" and m.loss is not False for m in messages)
    assert trained.count(tokenizer.eos_token_id) == ends


PIECES = [
    *[
        "Action",
        "Thought",
        "Observation",
        "action",
        "User",
        ":",
        "：",
        " ",
        "\n",
        "go north",
        "a's ",
        "1. ",
        "- ",
        "->",
    ],
    *["```", "`", "json", "*", "###", "<think>", "</think>", "next ", "is to ", "<action>", "</action>", "<|im_end|>"],
    *["<|im_start|>user", "</s>", "{", "}", "[", "]", "(", ")", '"', "'", "\\", ",", '"action"', '"thought"', '"x"'],
    *['{"turn": 1, "role": "DM"', '"turns": [', "true", "1", "1e999", "\\u00e9", "\\ud800", "\u2028", "\x1e", "\ufeff"],
]
written = texts | st.lists(st.sampled_from(PIECES), max_size=30).map("".join)


@given(text=written)
def test_any_reply_has_one_action_and_can_be_kept_and_shown_again(text):
    read = parse_reply(text)
    assert len(read.action) <= 200 and read.action == " ".join(read.action.split())
    assert read.action or not read.well_formed
    assert not any(token in read.said + read.thought for token in ("<|im_end|>", "<|im_start|>", "</s>", "\x1e"))
    step = Step(reply=text, thought=read.thought, action=read.action, observation=read.said, progress=0.0)
    assert Step.model_validate_json(step.to_json()) == step


@given(text=written)
def test_any_answer_has_json_that_can_be_written_again_or_none(text):
    for partial in (True, False):
        value = recover_json(text, partial=partial)
        assert value is None or recover_json(json.dumps(value, allow_nan=False)) == value


@pytest.mark.parametrize(
    "piece",
    [
        "a",
        "Action",
        "Action:",
        "action is to ",
        "'",
        "\n",
        "```\n",
        "<think>",
        "</think>",
        "Thought:",
        "*",
        "a's ",
        "\t ",
        "Action: Thought: a ",
        'Action:{"a\n',
        "Observation:\n",
        "<|im_end|>",
        "[a",
    ],
)
def test_no_reply_takes_long_to_read(piece):
    began = time.process_time()
    for text in (piece * (100_000 // len(piece)), "x" + piece * (100_000 // len(piece)) + "!"):
        parse_reply(text)
    assert time.process_time() - began < 3


@given(code=texts | st.text("()[]{}|*+?^$\\.ab1,", max_size=40), text=texts)
def test_any_expression_answers_or_is_refused(code, text):
    try:
        compile_code(code)
        read_arguments(code, text.encode(errors="replace").decode())
    except CodeError as error:
        assert str(error)


@pytest.mark.parametrize(
    "code", ["(a+)+$", "(a|a)*$", "(.*)(.*)(.*)(.*)(.*)x", "(a?){30}a{30}", "((a{1,30}){1,30})", "(?i)(\\w+\\s?)*$"]
)
def test_no_expression_takes_long(code):
    began = time.process_time()
    for text in ("a" * 500, "a" * 499 + "!", " ".join("a" * 250)):
        read_arguments(code, text)
    assert time.process_time() - began < 1

"""Scores of diversity by hand, an embedding that is the same twice, and one from a server."""

import asyncio
import json
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
import yaml
from starlette.applications import Starlette
from starlette.responses import JSONResponse, Response
from starlette.routing import Route

from agentrefine_lib import diversity
from agentrefine_lib.endpoint import EndpointError, EndpointSettings, embed_by_endpoint
from agentrefine_lib.schema import Conversation, Message, format_reply, write_jsonl
from agentrefine_lib.teachers.server import serve
from agentrefine_lib.tuning import SMOLLM2, base_folder


def test_vendi_counts_different_vectors():
    axes = np.eye(4)
    assert diversity.vendi(axes) == pytest.approx(4)
    assert diversity.vendi(axes[[0, 0, 0]]) == pytest.approx(1)
    assert diversity.vendi(axes[[0, 0, 1, 1]]) == pytest.approx(2)
    assert np.isnan(diversity.vendi(axes[:0]))


def test_words_by_hand():
    texts = ["go to the shop", "go to the park"]
    assert diversity.distinct(texts, 1) == 5 / 8
    assert diversity.distinct(texts, 2) == 4 / 6
    assert np.isnan(diversity.distinct(["word"], 2))
    assert diversity.self_bleu(["the same five words here"] * 5) == pytest.approx(1)
    assert diversity.self_bleu(["one two three four", "five six seven eight"]) < 0.05


def test_skeletons_leave_out_what_the_world_said():
    told = ["You see a brass key on the old shelf 2. The door is locked.", "Commands: go to {place}. You see an ox."]
    texts = ["Since the door is locked, the brass key helps.", 'I read "no way" and try the ox 3.']
    assert diversity.skeletons(texts, told) == ["since the {} is {}, the {} helps.", "i read {} and try the {}."]
    assert diversity.skeletons(["The ox is far."], told[1:]) == ["the {} is far."]


def test_thoughts_of_trained_replies_are_drawn_and_null_means_trained(tmp_path):
    """A file whose ``loss`` is null, as the authors' are, gave no thought at all."""
    said = [("one", None), ("two", True), ("three", False)]
    replies = [Message(sender="gpt", value=format_reply(thought, "look"), loss=loss) for thought, loss in said]
    messages = [Message(sender="human", value="Goal: x."), *replies]
    write_jsonl(tmp_path / "c.jsonl", [Conversation(id="c", conversations=messages)])
    assert set(diversity.training_thoughts(tmp_path / "c.jsonl", 9)["text"]) == {"one", "two"}


def test_a_model_that_says_little_does_not_cut_the_sets_of_others(tmp_path):
    counts = {"much": 40, "less": 10, "little": 9}
    for name, count in counts.items():
        said = [Message(sender="gpt", value=format_reply(f"thought {number}", "look")) for number in range(count)]
        messages = [Message(sender="human", value="Goal: x."), *said]
        write_jsonl(tmp_path / f"{name}.jsonl", [Conversation(id=name, conversations=messages)])
    table = diversity.thoughts({name: tmp_path / f"{name}.jsonl" for name in counts}, {}, 200)
    assert table.groupby("method")["text"].nunique().to_dict() == {"much": 10, "less": 10}
    for few in ({"thoughts": 4}, {"environments": 1}):
        with pytest.raises(ValueError, match="greater than or equal to"):
            diversity.Texts(**few)


def test_similarity_by_hand():
    axes = np.eye(3)
    assert diversity.similarity(axes) == 0
    assert diversity.similarity(axes[[0, 0, 1]]) == pytest.approx(1 / 3)
    assert diversity.similarity(axes[[0]], axes[[0, 1]]) == pytest.approx(1 / 2)
    assert np.isnan(diversity.similarity(axes[:1]))


def test_the_offline_embedding_is_deterministic_and_a_text_is_a_text(tiny):
    texts = ["open the red door", "open the blue door, which is to the left of it", "go north"] * 2
    vectors = diversity.embed(texts, tiny)
    assert (vectors == diversity.embed(texts, tiny)).all() and (vectors[:3] == vectors[3:]).all()
    assert np.linalg.norm(vectors, axis=1) == pytest.approx(np.ones(6))
    assert (diversity.project(vectors, 3) == diversity.project(vectors, 3)).all()
    with pytest.raises(ValueError, match="without a token"):
        diversity.embed(["", "a"], tiny)


@pytest.mark.slow
def test_the_offline_embedding_finds_the_same_in_other_words():
    triples = yaml.safe_load(Path(__file__).with_name("meanings.yaml").read_text())
    vectors = diversity.embed([text for triple in triples for text in triple], base_folder(SMOLLM2))
    cosines = vectors[::3] @ vectors[1::3].T
    rank = (cosines >= np.diag(cosines)[:, None]).sum(axis=1)
    assert (1 / rank).mean() > 0.75  # word statistics: 0.24


def test_the_nearest_of_a_set_is_not_itself():
    vectors = np.eye(3)[[0, 0, 1]]
    assert diversity.nearest(vectors, vectors, itself=True).tolist() == [1, 1, 0]
    assert diversity.nearest(np.eye(3)[[2]], vectors).tolist() == [0]


def test_halves_keep_conversations_whole():
    seen = []
    groups = ["a", "a", "b", "c", "c", "d"]
    diversity.half_samples(lambda rows: seen.append({groups[i] for i in rows}) or len(rows), groups, seed=0)
    assert all(len(names) == 2 for names in seen)
    assert len({frozenset(names) for names in seen}) > 3


def item(index, *vector):
    return {"object": "embedding", "index": index, "embedding": list(vector)}


@pytest.mark.parametrize(
    ("data", "told"),
    [
        ([item(0, 1, 2), item(1)], "another length than the others"),
        ([item(0, 1, 2), item(1, 0, 0)], "zero or not finite"),
        ([item(0, 1, 2), item(1, 1e999, 0)], "zero or not finite"),
        ([item(0, 1, 2), item(1, 1, 2, 3)], "another length than the others"),
        ([item(0, 1, 2)], "found index"),
        ([], "No embedding data"),
        ([item(0, 1, 2), item(0, 1, 2)], "found index"),
        ([item(5, 1, 2), item(1, 1, 2)], "found index"),
    ],
)
def test_vectors_that_are_none_are_neither_used_nor_recorded(tmp_path, data, told):
    async def embeddings(request):
        answer = {"object": "list", "model": "m", "data": data, "usage": {"prompt_tokens": 1, "total_tokens": 1}}
        return Response(json.dumps(answer), media_type="application/json")

    app = Starlette(routes=[Route("/v1/embeddings", embeddings, methods=["POST"])])
    with serve(app) as url:
        settings = EndpointSettings(base_url=url, model="m", retries=0)
        with pytest.raises(EndpointError, match=told):
            asyncio.run(embed_by_endpoint(settings, ["a", "b"], tmp_path / "e.jsonl"))
        assert (tmp_path / "e.jsonl").read_bytes() == b""
        data[:] = [item(1, 0, 2), item(0, 2, 0)]  # not in order
        good = asyncio.run(embed_by_endpoint(settings, ["a", "b"], tmp_path / "e.jsonl"))
        assert good.tolist() == [[1, 0], [0, 1]]


def test_an_endpoint_embeds_each_text_once(tmp_path):
    asked = []

    async def embeddings(request):
        texts = (await request.json())["input"]
        asked.extend(texts)
        data = [{"object": "embedding", "index": i, "embedding": [len(t), 1.0]} for i, t in enumerate(texts)]
        return JSONResponse(
            {"object": "list", "model": "m", "data": data, "usage": {"prompt_tokens": 1, "total_tokens": 1}}
        )

    app = Starlette(routes=[Route("/v1/embeddings", embeddings, methods=["POST"])])
    with serve(app) as url:
        settings = EndpointSettings(base_url=url, model="m")
        first = asyncio.run(embed_by_endpoint(settings, ["a", "bbb", "a"], tmp_path / "e.jsonl"))
        again = asyncio.run(embed_by_endpoint(settings, ["bbb", "cc"], tmp_path / "e.jsonl"))
    assert asked == ["a", "bbb", "cc"]
    assert first.tolist() == pytest.approx(np.array([[1, 1], [3, 1], [1, 1]]) / np.sqrt([[2], [10], [2]]))
    assert (again[0] == first[1]).all()


def test_tests_are_engines_and_the_teachers_worlds_are_none():
    rows = [("synthesised", 0.8), ("synthesised", 0.6), ("a", 0.1), ("a", 0.3), ("b", 0.4), ("embedded", 0.9)]
    worlds = pd.DataFrame(rows, columns=["engine", "nearest"])
    found = diversity.further_away(worlds)
    assert found["difference"] == pytest.approx(0.7 - 0.3) and found["n"] == 2
    assert np.isnan(diversity.further_away(worlds[:2])["difference"])

"""Personas: many, each leading to its costume; and those of a Persona Hub file."""

import json

import pytest

from agentrefine_lib.schema import SchemaError
from agentrefine_lib.teachers import Brief, EmbeddedTeacher, costume_of, embedded_persona, load_costumes, load_personas


def write_lines(path, *lines):
    path.write_text("".join(f"{line if isinstance(line, str) else json.dumps(line)}\n" for line in lines))
    return path


def test_there_are_more_than_two_thousand_personas():
    personas = [embedded_persona(seed) for seed in range(3000)]
    assert len(set(personas)) >= 2000
    assert {costume_of(persona) for persona in personas} == set(load_costumes())


def test_a_persona_leads_to_the_costume_it_was_made_for():
    for costume in load_costumes():
        for seed in range(50):
            assert costume_of(embedded_persona(seed, (costume,))) == costume


def test_no_role_is_part_of_a_role_of_another_costume():
    roles = [(domain, role.lower()) for domain, entry in load_costumes().items() for role in entry["roles"]]
    for domain, role in roles:
        assert [other for where, other in roles if where != domain and role in other] == []


@pytest.mark.parametrize(
    ("persona", "domain"),
    [
        ("Librarian of a small town, fond of maps.", "library"),
        ("A ship cook who used to be a chef", "ship"),
        ("an international lawyer", None),  # holds no intern
        ("A contractor of a theatre", None),  # holds no actor
    ],
)
def test_roles_are_found_as_whole_words(persona, domain):
    assert costume_of(persona) == domain


def test_a_persona_of_no_known_role_gets_some_costume_always_the_same():
    brief = Brief("A retired lawyer with a passion for chess", 7)
    assert costume_of(brief.persona) is None
    assert EmbeddedTeacher().game(brief).script == EmbeddedTeacher().game(brief).script
    kinds = {EmbeddedTeacher().game(Brief(brief.persona, seed)).script.environment["kind"] for seed in range(20)}
    assert len({kind.split("-")[1] for kind in kinds}) > 8
    only = EmbeddedTeacher(costumes=["shell"]).game(Brief("A chef", 1))  # the role is known, but not its costume
    assert "-shell-" in only.script.environment["kind"]


def test_persona_hub_files_are_read(tmp_path):
    path = write_lines(tmp_path / "p.jsonl", {"persona": " A chef. "}, "", {"input persona": "A nurse", "x": 1})
    assert list(load_personas(path)) == ["A chef.", "A nurse"]


@pytest.mark.parametrize(
    "line", ['{"persona": ', "[]", '"A chef"', '{"person": "A chef"}', '{"persona": 3}', '{"persona": " "}']
)
def test_a_bad_line_is_named_when_it_is_reached(tmp_path, line):
    path = write_lines(tmp_path / "p.jsonl", {"persona": "A chef"}, line)
    personas = load_personas(path)
    assert next(personas) == "A chef"
    with pytest.raises(SchemaError, match=r"p\.jsonl:2: "):
        next(personas)


def test_text_that_is_not_utf8_is_named(tmp_path):
    path = tmp_path / "p.jsonl"
    path.write_bytes(b'{"persona": "Caf\xe9"}\n')
    with pytest.raises(SchemaError, match=r"p\.jsonl:1: not a PersonaLine"):
        next(load_personas(path))

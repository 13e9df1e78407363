"""HotpotQA over Wikipedia, here a server on loopback: searched, read, and the second time without a network."""

import json
import threading
from http.server import BaseHTTPRequestHandler, HTTPServer
from urllib.parse import parse_qs, urlparse

import pytest

from agentrefine_lib.environments.hotpotqa import wikipedia
from agentrefine_lib.environments.hotpotqa.environment import HotpotQA
from agentrefine_lib.schema import Task

QUESTION = {
    "_id": "q",
    "question": "Who built the Lantern Bridge?",
    "answer": "Ada Pell",
    "context": [["Lantern Bridge", ["A bridge."]]],
    "supporting_facts": [["Lantern Bridge", 0]],
}


class Answers(BaseHTTPRequestHandler):
    def do_GET(self):
        asked = {name: values[0] for name, values in parse_qs(urlparse(self.path).query).items()}
        if "srsearch" in asked:
            found = {"search": [{"title": "Lantern Bridge"}, {"title": "Lantern"}]}
        elif asked["titles"].casefold() == "lantern bridge":
            text = "The Lantern Bridge spans the Imber. Ada Pell built it in 1871.\n\n== History ==\nIt burnt."
            found = {"pages": {"7": {"title": "Lantern Bridge", "extract": text}}}
        elif asked["titles"].startswith("fr:"):
            found = {"interwiki": [{"title": asked["titles"], "iw": "fr"}]}
        elif "outage" in asked["titles"]:
            return self.answer({"error": {"code": "maxlag", "info": "Waiting for a server: lagged."}})
        else:
            found = {"pages": {"-1": {"title": asked["titles"], "missing": ""}}}
        return self.answer({"query": found})

    def answer(self, said):
        self.send_response(200)
        self.end_headers()
        self.wfile.write(json.dumps(said).encode())

    def log_message(self, *told):
        pass


def test_a_question_over_wikipedia_and_again_without_it(tmp_path, monkeypatch):
    (tmp_path / "q.json").write_text(json.dumps([QUESTION]))
    task = Task(engine="hotpotqa", name=f"wikipedia:{tmp_path / 'q.json'}#", seed=0)
    actions = ["search[Bridge of Lanterns]", "search[lantern bridge]", "lookup[built]", "finish[Ada Pell]"]

    def play():
        env = HotpotQA()
        return [env.reset(task), *(env.step(action).observation for action in actions)], env.version

    server = HTTPServer(("127.0.0.1", 0), Answers)
    threading.Thread(target=server.serve_forever, daemon=True).start()
    monkeypatch.setattr(wikipedia, "URL", f"http://127.0.0.1:{server.server_port}/w/api.php")
    first = play()
    env = HotpotQA()
    env.reset(task)
    with pytest.raises(OSError, match=r"Wikipedia: Waiting for a server: lagged\."):  # with status 200
        env.step("search[outage]")
    assert env.step("search[fr:Paris]").observation.startswith('Could not find "fr:Paris".')
    assert env.step("search[ ]").error == env.step("lookup[ ]").error == "parameter"
    server.shutdown()
    server.server_close()
    assert first[0][1] == 'Could not find "Bridge of Lanterns". Similar: ["Lantern Bridge", "Lantern"].'
    assert first[0][2] == "The Lantern Bridge spans the Imber. Ada Pell built it in 1871. == History == It burnt."
    assert first[0][3] == "(Result 1 / 1) Ada Pell built it in 1871." and first[1].endswith("Wikipedia")
    kept = next(path for path in tmp_path.iterdir() if path.name != "q.json")
    kept.write_bytes(kept.read_bytes() + b'["half a li')  # as a kill leaves it
    assert play() == first
    env = HotpotQA()
    env.reset(task)
    assert "search[Lantern Bridge]" in env.valid_actions()  # without asking anybody
    with pytest.raises(OSError):
        env.step("search[nobody asked for this before]")

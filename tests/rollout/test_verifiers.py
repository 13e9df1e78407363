"""Run where verifiers is installed, which cannot be here: it needs an older openai than constraints.txt has."""

import json
import subprocess
import sys
import threading
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

import pytest

from agentrefine_lib.environments import make_environment
from agentrefine_lib.schema import Episode, Task, format_reply

pytest.importorskip("verifiers")
TASK = Task(engine="pddl", name="gripper", seed=1)


@pytest.fixture
def model():
    """The URL of a model that makes one mistake, and then does what the expert would."""
    environment = make_environment(TASK)
    environment.reset(TASK)
    moves, asked = ["dance"], []
    for _, action in environment.expert():
        environment.step(action)
        moves.append(action)

    class Model(BaseHTTPRequestHandler):
        def do_POST(self) -> None:
            messages = json.loads(self.rfile.read(int(self.headers["content-length"])))["messages"]
            asked.append(messages)
            said = {
                "role": "assistant",
                "content": format_reply("Go on.", moves[sum(m["role"] == "assistant" for m in messages)]),
            }
            choice = {"index": 0, "finish_reason": "stop", "message": said}
            answer = {"id": "1", "object": "chat.completion", "created": 0, "model": "m", "choices": [choice]}
            self.send_response(200)
            self.send_header("content-type", "application/json")
            self.end_headers()
            self.wfile.write(json.dumps(answer).encode())

        def log_message(self, *_: object) -> None:
            pass

    with ThreadingHTTPServer(("127.0.0.1", 0), Model) as server:
        threading.Thread(target=server.serve_forever, daemon=True).start()
        yield f"http://127.0.0.1:{server.server_port}/v1", asked
        server.shutdown()


def test_its_own_command_evaluates_a_model_in_our_engine(model, tmp_path):
    url, asked = model
    panel = json.dumps({TASK.engine: {TASK.name: [TASK.seed]}})
    command = [Path(sys.executable).with_name("vf-eval"), "agentrefine-lib", "--env.taskset.panel", panel]
    command += [
        "--env.examples",
        Path(__file__).parents[2] / "params" / "examples",
        "-m",
        "m",
        "--client.base-url",
        url,
    ]
    subprocess.run([*command, "--no-push", "--no-rich", "-o", tmp_path], check=True, timeout=280)
    [file] = tmp_path.rglob("traces.jsonl")
    [trace] = json.loads(file.read_text())["traces"]
    assert trace["rewards"]["progress"]["score"] == pytest.approx(1.0)
    assert (trace["metrics"]["success"], trace["metrics"]["refused"]) == (1.0, 1.0)
    episode = Episode.model_validate(trace["info"]["episode"])
    assert (episode.task, episode.success, episode.steps[0].error) == (TASK, True, "format")
    assert "An example, in another place:" in asked[0][0]["content"] and episode.goal in asked[0][0]["content"]

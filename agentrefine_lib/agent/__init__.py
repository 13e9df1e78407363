"""How a language model sees an episode: prompts, examples, truncation."""

from agentrefine_lib.agent.prompting import KEEP, Chat, Prompting, Prompts, drop_oldest, read_examples

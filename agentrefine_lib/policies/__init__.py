"""Who acts in the benchmark environments."""

from agentrefine_lib.policies.answering import General, answer_all
from agentrefine_lib.policies.corrected import Corrected
from agentrefine_lib.policies.endpoint_policy import EndpointPolicy, Served
from agentrefine_lib.policies.generation import Decoding, Samples, Sampling
from agentrefine_lib.policies.local import LocalPolicy
from agentrefine_lib.policies.models import Models
from agentrefine_lib.policies.protocol import LiveEpisode, Policy
from agentrefine_lib.policies.reflexion import Reflexion
from agentrefine_lib.policies.scripted import AfterMistake, ExpertPolicy, RandomPolicy

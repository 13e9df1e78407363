"""What a run's figures say: the registry of artefacts, verdicts on claims, the pages, the book."""

from agentrefine_lib.results.claims import show_claims, show_findings

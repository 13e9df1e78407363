"""What a run's figures say: the registry of artefacts, verdicts on claims, the pages, the gallery."""

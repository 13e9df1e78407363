"""Ready ids and labels for TRL: its trainer takes them as they are, end-of-turn tokens included."""

import pytest
from datasets import Dataset
from transformers import AutoTokenizer

from agentrefine_lib.dataset import to_conversation
from agentrefine_lib.schema import Conversation, Message
from agentrefine_lib.tuning import IGNORED, MaskError, encode
from agentrefine_lib.tuning.export import for_trl


@pytest.fixture(scope="module")
def tokenizer(tiny):
    return AutoTokenizer.from_pretrained(tiny)


@pytest.fixture(scope="module")
def conversations(trajectories):
    return [to_conversation(trajectory) for trajectory in trajectories[:12]]


def load(path, tmp_path):
    return Dataset.from_parquet(str(path), cache_dir=str(tmp_path / "cache"))


def test_rows_are_those_of_encode_whole_or_not_at_all(conversations, tokenizer, tmp_path):
    lengths = [len(encode(c, tokenizer).input_ids) for c in conversations]
    limit = sorted(lengths)[8]
    masked = Conversation(
        id="m", conversations=[Message(sender="human", value="a"), Message(sender="gpt", value="b", loss=False)]
    )
    counts = for_trl([masked, *conversations], tokenizer, tmp_path / "t.parquet", max_tokens=limit)
    kept = [encode(c, tokenizer) for c, length in zip(conversations, lengths, strict=True) if length <= limit]
    rows = load(tmp_path / "t.parquet", tmp_path)
    assert [(r["input_ids"], r["labels"]) for r in rows] == [(e.input_ids, e.labels) for e in kept]
    assert (counts.rows_in, counts.rows_out) == (13, len(kept))
    assert counts.dropped == {"no_trained_reply": 1, "over_max_tokens": 12 - len(kept)}
    end = tokenizer.eos_token_id
    for row in rows:
        trained_ends = [i for i, label in enumerate(row["labels"]) if label == end]
        assert trained_ends and all(row["labels"][i - 1] != IGNORED for i in trained_ends)


def test_no_file_when_a_mask_would_be_wrong(conversations, tokenizer, tmp_path):
    smuggled = Conversation(
        id="x",
        conversations=[Message(sender="human", value="hi<|im_end|>"), Message(sender="gpt", value="a", loss=True)],
    )
    with pytest.raises(MaskError, match="special token"):
        for_trl([*conversations, smuggled], tokenizer, tmp_path / "t.parquet")
    assert not (tmp_path / "t.parquet").exists()


def test_trl_trains_exactly_our_labels(conversations, tokenizer, tiny, tmp_path):
    trl = pytest.importorskip("trl")
    for_trl(conversations, tokenizer, tmp_path / "t.parquet")
    rows = load(tmp_path / "t.parquet", tmp_path)
    trainer = trl.SFTTrainer(
        model=str(tiny),
        processing_class=tokenizer,
        train_dataset=rows,
        args=trl.SFTConfig(
            output_dir=str(tmp_path / "out"),
            max_length=None,
            max_steps=1,
            per_device_train_batch_size=4,
            use_cpu=True,
            bf16=False,
            report_to="none",
            save_strategy="no",
        ),
    )
    assert [(r["input_ids"], r["labels"]) for r in trainer.train_dataset] == [
        (r["input_ids"], r["labels"]) for r in rows
    ]
    ours = {tuple(r["input_ids"]): r["labels"] for r in rows}
    seen = 0
    for batch in trainer.get_train_dataloader():
        for ids, labels, real in zip(batch["input_ids"], batch["labels"], batch["attention_mask"], strict=True):
            length = int(real.sum())
            assert labels[:length].tolist() == ours[tuple(ids[:length].tolist())]
            assert set(labels[length:].tolist()) <= {IGNORED}
            seen += 1
    assert seen == len(rows)
    assert trainer.train().training_loss > 0

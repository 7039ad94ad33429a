"""BERT in transformers: sequences a second of inference, or of whole training steps."""

import contextlib

import torch
from timing import median_seconds, run
from tokenizers import BertWordPieceTokenizer
from transformers import BertConfig, BertForSequenceClassification

SPECIAL_TOKENS = ("[PAD]", "[UNK]", "[CLS]", "[SEP]", "[MASK]")


def measure(
    task: str,
    batches: list[int],
    length: int,
    vocabulary: int,
    num_layers: int,
    hidden_dim: int,
    num_heads: int,
    intermediate_dim: int,
    precision: str = "float32",
) -> dict[str, float]:
    """Sequences a second, by the size of the batch.

    Args:
        task: "inference" (from strings to probabilities) or "training" (on token numbers).
        batches: sequences at a time.
        length: tokens of a sequence.
        vocabulary, num_layers, hidden_dim, num_heads, intermediate_dim: the network.
        precision: "float32" or "bfloat16".
    """
    config = BertConfig(
        vocab_size=vocabulary,
        num_hidden_layers=num_layers,
        hidden_size=hidden_dim,
        num_attention_heads=num_heads,
        intermediate_size=intermediate_dim,
    )
    prepare = {"inference": inference, "training": training}[task]
    call_of = prepare(BertForSequenceClassification(config), length, precision)
    return {str(rows): rows / median_seconds(call_of(rows)) for rows in batches}


def inference(model, length: int, precision: str):
    """Gives, for a number of texts, the call that turns them into probabilities."""
    model.eval().to(getattr(torch, precision))
    words = [f"word{number}" for number in range(model.config.vocab_size - len(SPECIAL_TOKENS))]
    numbers = {name: number for number, name in enumerate((*SPECIAL_TOKENS, *words))}
    tokenizer = BertWordPieceTokenizer(numbers)

    @torch.inference_mode()
    def probabilities(texts):
        tokens = torch.tensor([row.ids for row in tokenizer.encode_batch(texts)])
        assert tokens.shape[1] == length
        logits = model(tokens, attention_mask=torch.ones_like(tokens)).logits
        return logits.softmax(-1).tolist()

    def call_of(rows):
        picked = torch.randint(len(words), (rows, length - 2)).tolist()
        texts = [" ".join(words[number] for number in row) for row in picked]
        return lambda: probabilities(texts)

    return call_of


def training(model, length: int, precision: str):
    """Gives, for a number of rows, the call of one optimiser step; dropout is BERT's 0.1."""
    model.train()
    optimizer = torch.optim.AdamW(model.parameters(), 1e-4, weight_decay=0.01, fused=True)
    half = torch.autocast("cpu", torch.bfloat16)
    context = half if precision == "bfloat16" else contextlib.nullcontext()

    def step(tokens, labels):
        optimizer.zero_grad()
        with context:
            loss = model(tokens, attention_mask=torch.ones_like(tokens), labels=labels).loss
        loss.backward()
        torch.nn.utils.clip_grad_norm_(model.parameters(), 1.0)
        optimizer.step()
        return loss.item()

    def call_of(rows):
        tokens = torch.randint(len(SPECIAL_TOKENS), model.config.vocab_size, (rows, length))
        return lambda: step(tokens, torch.arange(rows) % 2)

    return call_of


if __name__ == "__main__":
    run(measure)

"""BERT in transformers: sequences a second of inference, or of whole training steps."""

import contextlib

import torch
from timing import median_seconds, run
from transformers import BertConfig, BertForSequenceClassification


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
        task: "inference" or "training".
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
    call_of = prepare(BertForSequenceClassification(config), precision)
    rates = {}
    for rows in batches:
        tokens = torch.randint(5, vocabulary, (rows, length))
        inputs = {"input_ids": tokens, "attention_mask": torch.ones_like(tokens)}
        rates[str(rows)] = rows / median_seconds(call_of(inputs))
    return rates


def inference(model, precision: str):
    """Gives, for inputs, the call that turns them into probabilities."""
    model.eval().to(getattr(torch, precision))

    @torch.inference_mode()
    def probabilities(inputs):
        return model(**inputs).logits.softmax(-1)

    return lambda inputs: lambda: probabilities(inputs)


def training(model, precision: str):
    """Gives, for inputs, the call of one optimiser step; dropout is BERT's 0.1."""
    model.train()
    optimizer = torch.optim.AdamW(model.parameters(), 1e-4, weight_decay=0.01, fused=True)
    half = torch.autocast("cpu", torch.bfloat16)
    context = half if precision == "bfloat16" else contextlib.nullcontext()

    def step(inputs, labels):
        optimizer.zero_grad()
        with context:
            loss = model(**inputs, labels=labels).loss
        loss.backward()
        torch.nn.utils.clip_grad_norm_(model.parameters(), 1.0)
        optimizer.step()
        return loss.item()

    def call_of(inputs):
        labels = torch.arange(len(inputs["input_ids"])) % 2
        return lambda: step(inputs, labels)

    return call_of


if __name__ == "__main__":
    run(measure)

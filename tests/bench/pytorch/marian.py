"""MarianMT in transformers: target tokens a second of decoding, or of whole training steps."""

import torch
from timing import median_seconds, run
from torch.nn import functional
from transformers import MarianConfig, MarianMTModel

PAD, START, END = 0, 2, 3


def measure(
    task: str,
    rows: int,
    source: int,
    target: int,
    vocabulary: int,
    num_layers: int,
    hidden_dim: int,
    num_heads: int,
    intermediate_dim: int,
    beam_size: int = 1,
    dropout: float = 0.1,
    label_smoothing: float = 0.0,
) -> dict[str, float]:
    """{"rate": target tokens a second}.

    Args:
        task: "decoding" or "training".
        rows: sentences at a time.
        source, target: tokens of a sentence.
        vocabulary, num_layers, hidden_dim, num_heads, intermediate_dim: the network; the encoder
            and the decoder have so many layers each.
        beam_size: decoding: hypotheses; 1 is greedy.
        dropout, label_smoothing: training.
    """
    config = MarianConfig(
        vocab_size=vocabulary,
        decoder_vocab_size=vocabulary,
        encoder_layers=num_layers,
        decoder_layers=num_layers,
        d_model=hidden_dim,
        encoder_attention_heads=num_heads,
        decoder_attention_heads=num_heads,
        encoder_ffn_dim=intermediate_dim,
        decoder_ffn_dim=intermediate_dim,
        activation_function="relu",
        scale_embedding=True,
        dropout=dropout,
        pad_token_id=PAD,
        decoder_start_token_id=START,
        eos_token_id=END,
        forced_eos_token_id=None,
    )
    model = MarianMTModel(config)
    tokens = torch.randint(END + 1, vocabulary, (rows, source))
    inputs = {"input_ids": tokens, "attention_mask": torch.ones_like(tokens)}
    if task == "decoding":
        call = decoding(model, inputs, target, beam_size)
    else:
        labels = torch.randint(END + 1, vocabulary, (rows, target))
        call = training(model, inputs, labels, label_smoothing)
    return {"rate": rows * target / median_seconds(call)}


def decoding(model, inputs, target: int, beam_size: int):
    """The call that searches for translations of exactly `target` tokens."""
    model.eval()

    @torch.inference_mode()
    def translate():
        found = model.generate(
            **inputs,
            num_beams=beam_size,
            do_sample=False,
            use_cache=True,
            min_new_tokens=target,
            max_new_tokens=target,
        )
        assert found.shape[1] == 1 + target

    return translate


def training(model, inputs, labels, label_smoothing: float):
    """The call of one optimiser step."""
    model.train()
    optimizer = torch.optim.AdamW(model.parameters(), 1e-4, weight_decay=0.0, fused=True)
    read = functional.pad(labels[:, :-1], (1, 0), value=START)

    def step():
        optimizer.zero_grad()
        logits = model(**inputs, decoder_input_ids=read).logits
        loss = functional.cross_entropy(
            logits.flatten(0, 1), labels.flatten(), label_smoothing=label_smoothing
        )
        loss.backward()
        torch.nn.utils.clip_grad_norm_(model.parameters(), 1.0)
        optimizer.step()
        return loss.item()

    return step


if __name__ == "__main__":
    run(measure)

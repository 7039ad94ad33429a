"""MarianMT in transformers: target tokens a second of decoding, or of whole training steps."""

import contextlib

import torch
from timing import median_seconds, run
from tokenizers import Tokenizer, models, pre_tokenizers, processors
from torch.nn import functional
from transformers import MarianConfig, MarianMTModel

SPECIAL_TOKENS = ("<pad>", "<unk>", "<s>", "</s>")
PAD, _, START, END = range(4)


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
    precision: str = "float32",
) -> dict[str, float]:
    """{"rate": target tokens a second}.

    Args:
        task: "decoding" (from strings to strings) or "training" (on token numbers).
        rows: sentences at a time.
        source, target: tokens of a sentence.
        vocabulary, num_layers, hidden_dim, num_heads, intermediate_dim: the network; the encoder
            and the decoder have this many layers each.
        beam_size: decoding: hypotheses; 1 is greedy.
        dropout, label_smoothing: training.
        precision: training: "float32" or "bfloat16".
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
    if task == "decoding":
        call = decoding(model, words_of(vocabulary), rows, source, target, beam_size)
    else:
        call = training(model, rows, source, target, label_smoothing, precision)
    return {"rate": rows * target / median_seconds(call)}


def words_of(vocabulary: int) -> list[str]:
    """Made-up words, of one token each."""
    return [f"word{number}" for number in range(vocabulary - len(SPECIAL_TOKENS))]


def build_tokenizer(words: list[str]) -> Tokenizer:
    """The cheapest tokenizer that there is: one that looks words up."""
    numbers = {name: number for number, name in enumerate((*SPECIAL_TOKENS, *words))}
    tokenizer = Tokenizer(models.WordLevel(numbers, unk_token="<unk>"))
    tokenizer.pre_tokenizer = pre_tokenizers.WhitespaceSplit()
    tokenizer.post_processor = processors.TemplateProcessing(
        single="$A </s>", special_tokens=[("</s>", END)]
    )
    return tokenizer


def decoding(model, words: list[str], rows: int, source: int, target: int, beam_size: int):
    """The call that searches for translations of exactly `target` tokens."""
    model.eval()
    tokenizer = build_tokenizer(words)
    picked = torch.randint(len(words), (rows, source - 1)).tolist()
    texts = [" ".join(words[number] for number in row) for row in picked]

    @torch.inference_mode()
    def translate():
        tokens = torch.tensor([row.ids for row in tokenizer.encode_batch(texts)])
        found = model.generate(
            input_ids=tokens,
            attention_mask=torch.ones_like(tokens),
            num_beams=beam_size,
            do_sample=False,
            use_cache=True,
            min_new_tokens=target,
            max_new_tokens=target,
        )
        assert tokens.shape[1] == source and found.shape[1] == 1 + target
        return tokenizer.decode_batch(found.tolist())

    return translate


def training(model, rows: int, source: int, target: int, label_smoothing: float, precision: str):
    """The call of one optimiser step."""
    model.train()
    tokens, labels = (
        torch.randint(END + 1, model.config.vocab_size, (rows, length))
        for length in (source, target)
    )
    mask = torch.ones_like(tokens)
    optimizer = torch.optim.AdamW(model.parameters(), 1e-4, weight_decay=0.0, fused=True)
    read = functional.pad(labels[:, :-1], (1, 0), value=START)
    half = torch.autocast("cpu", torch.bfloat16)
    context = half if precision == "bfloat16" else contextlib.nullcontext()

    def step():
        optimizer.zero_grad()
        with context:
            logits = model(tokens, attention_mask=mask, decoder_input_ids=read).logits
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

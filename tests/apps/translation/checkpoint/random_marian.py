"""Small random Marian checkpoints under the names that transformers gives the tensors."""

import functools
import io
import json

import numpy as np
import sentencepiece
from safetensors.numpy import save_file

from shared.samples.numbers_en_zh import chinese, english

LAYERS, DECODER_LAYERS, WIDTH, HEADS, INNER = 2, 1, 16, 2, 24
CODE = ">>cmn<<"


@functools.cache
def pieces_model(side):
    """A SentencePiece model with the normalisation that Marian's have."""
    model, of = io.BytesIO(), {"en": english, "zh": chinese}[side]
    sentencepiece.SentencePieceTrainer.train(
        sentence_iterator=(of(number) for number in range(0, 9000, 7)),
        model_writer=model,
        vocab_size=60,
        hard_vocab_limit=False,
        minloglevel=2,
    )
    return model.getvalue()


@functools.cache
def names():
    """The end first and the padding last, as in their files."""
    found = {CODE: None, "☃": None}
    for side in ("en", "zh"):
        library = sentencepiece.SentencePieceProcessor(model_proto=pieces_model(side))
        found |= dict.fromkeys(library.id_to_piece(list(range(3, library.vocab_size()))))
    return ("</s>", "<unk>", *sorted(found), "<pad>")


def config(**changes):
    pad = len(names()) - 1
    return {
        "model_type": "marian",
        "architectures": ["MarianMTModel"],
        "vocab_size": pad + 1,
        "decoder_vocab_size": pad + 1,
        "d_model": WIDTH,
        "encoder_layers": LAYERS,
        "decoder_layers": DECODER_LAYERS,
        "encoder_attention_heads": HEADS,
        "decoder_attention_heads": HEADS,
        "encoder_ffn_dim": INNER,
        "decoder_ffn_dim": INNER,
        "activation_function": "swish",
        "dropout": 0.1,
        "attention_dropout": 0.0,
        "scale_embedding": True,
        "share_encoder_decoder_embeddings": True,
        "tie_word_embeddings": True,
        "pad_token_id": pad,
        "eos_token_id": 0,
        "decoder_start_token_id": pad,
        "forced_eos_token_id": 0,
        "num_beams": 4,
        **changes,
    }


def marian_tensors(shared=True, tied=True, seed=0):
    """Tensors with values large enough for every one of them to matter."""
    generator, found, size = np.random.default_rng(seed), {}, len(names())

    def add(name, *shape, scale=1.0, center=0.0):
        found[name] = (center + scale * generator.normal(size=shape)).astype(np.float32)

    def dense(name, inputs, outputs):
        add(f"{name}.weight", outputs, inputs, scale=inputs**-0.5)
        add(f"{name}.bias", outputs, scale=0.2)

    def norm(name):
        add(f"{name}.weight", WIDTH, scale=0.2, center=1.0)
        add(f"{name}.bias", WIDTH, scale=0.2)

    embeddings = ("shared",) if shared else ("encoder.embed_tokens", "decoder.embed_tokens")
    for name in embeddings:
        add(f"model.{name}.weight", size, WIDTH, scale=WIDTH**-0.5)
    for side, count in (("encoder", LAYERS), ("decoder", DECODER_LAYERS)):
        for index in range(count):
            block = f"model.{side}.layers.{index}"
            for attention in ("self_attn", "encoder_attn")[: 1 + (side == "decoder")]:
                for part in ("q_proj", "k_proj", "v_proj", "out_proj"):
                    dense(f"{block}.{attention}.{part}", WIDTH, WIDTH)
                norm(f"{block}.{attention}_layer_norm")
            dense(f"{block}.fc1", WIDTH, INNER)
            dense(f"{block}.fc2", INNER, WIDTH)
            norm(f"{block}.final_layer_norm")
    if not tied:
        add("lm_head.weight", size, WIDTH, scale=WIDTH**-0.5)
    add("final_logits_bias", 1, size, scale=0.5)
    # Translations end after some tokens.
    found["final_logits_bias"][0, 0] = 2.5
    return found


def write_marian(folder, tensors=None, separate=False, **changes):
    """Writes a folder as transformers does."""
    folder.mkdir(parents=True, exist_ok=True)
    numbers = {name: number for number, name in enumerate(names())}
    files = {
        "config.json": config(share_encoder_decoder_embeddings=not separate, **changes),
        "tokenizer_config.json": {
            "source_lang": "en", "target_lang": "zh", "separate_vocabs": separate,
        },
        "vocab.json": numbers,
    }  # fmt: skip
    if separate:
        files["target_vocab.json"] = numbers
    for name, value in files.items():
        (folder / name).write_text(json.dumps(value), "utf-8")
    for name, side in (("source.spm", "en"), ("target.spm", "zh")):
        (folder / name).write_bytes(pieces_model(side))
    tensors = marian_tensors(shared=not separate) if tensors is None else tensors
    save_file(tensors, folder / "model.safetensors", {"format": "pt"})
    return folder

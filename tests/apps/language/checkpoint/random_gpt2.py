"""Small random GPT-2 checkpoints under the names that transformers gives the tensors."""

import json

import numpy as np
from safetensors.numpy import save_file

from shared.text.byte_level_bpe import byte_characters

LAYERS, WIDTH, HEADS, POSITIONS = 2, 16, 4, 24
MERGES = [("t", "h"), ("th", "e"), ("Ġ", "the"), ("i", "n"), ("Ġ", "a"), ("o", "u"), ("e", "r")]
END = "<|endoftext|>"
# In GPT-2's order: visible bytes first, and the end last.
NAMES = [*sorted(byte_characters()), *(left + right for left, right in MERGES), END]
WORDS = len(NAMES)

CONFIG = {
    "model_type": "gpt2",
    "architectures": ["GPT2LMHeadModel"],
    "vocab_size": WORDS,
    "n_positions": POSITIONS,
    "n_ctx": POSITIONS,
    "n_embd": WIDTH,
    "n_layer": LAYERS,
    "n_head": HEADS,
    "n_inner": None,
    "activation_function": "gelu_new",
    "layer_norm_epsilon": 1e-5,
    "resid_pdrop": 0.1,
    "embd_pdrop": 0.1,
    "attn_pdrop": 0.1,
    "bos_token_id": WORDS - 1,
    "eos_token_id": WORDS - 1,
}


def gpt2_tensors(prefix="transformer.", tied=True, seed=0):
    """Tensors with values large enough for every one of them to matter."""
    generator, found = np.random.default_rng(seed), {}

    def add(name, *shape, scale=1.0, center=0.0):
        found[name] = (center + scale * generator.normal(size=shape)).astype(np.float32)

    def dense(name, inputs, outputs):
        add(f"{name}.weight", inputs, outputs, scale=inputs**-0.5)
        add(f"{name}.bias", outputs, scale=0.2)

    def norm(name):
        add(f"{name}.weight", WIDTH, scale=0.2, center=1.0)
        add(f"{name}.bias", WIDTH, scale=0.2)

    add(f"{prefix}wte.weight", WORDS, WIDTH, scale=0.5)
    add(f"{prefix}wpe.weight", POSITIONS, WIDTH, scale=0.5)
    for index in range(LAYERS):
        block = f"{prefix}h.{index}"
        norm(f"{block}.ln_1")
        dense(f"{block}.attn.c_attn", WIDTH, 3 * WIDTH)
        dense(f"{block}.attn.c_proj", WIDTH, WIDTH)
        norm(f"{block}.ln_2")
        dense(f"{block}.mlp.c_fc", WIDTH, 4 * WIDTH)
        dense(f"{block}.mlp.c_proj", 4 * WIDTH, WIDTH)
    norm(f"{prefix}ln_f")
    if not tied:
        add("lm_head.weight", WORDS, WIDTH, scale=0.5)
    return found


def write_gpt2(folder, tensors=None, **changes):
    """Writes a folder as transformers does."""
    folder.mkdir(parents=True, exist_ok=True)
    (folder / "config.json").write_text(json.dumps(CONFIG | changes))
    numbers = {name: number for number, name in enumerate(NAMES)}
    (folder / "vocab.json").write_text(json.dumps(numbers), "utf-8")
    lines = "".join(f"{left} {right}\n" for left, right in MERGES)
    (folder / "merges.txt").write_text(f"#version: 0.2\n{lines}", "utf-8")
    save_file(tensors or gpt2_tensors(), folder / "model.safetensors", {"format": "pt"})
    return folder

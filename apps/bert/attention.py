"""Plots of the attention weights of an encoder."""

from pathlib import Path

import numpy as np

from shared.common.console import console
from shared.common.errors import KerasuiteError
from shared.common.messages import warn
from shared.engine.load_app import load_app


def draw_attention(
    import_path: str, run_folder: Path, texts: list[str], output: Path, layer: int
) -> None:
    """Draws the attention weights of the heads of one layer or of all.

    Args:
        import_path: import path of the application that made the run.
        run_folder: the run folder.
        texts: a sentence, or a sentence and its pair.
        output: folder for `layer-1.png`, `layer-2.png`, ...
        layer: number of the layer from 1; 0 for all.
    """
    app = load_app(import_path)
    import tensorflow as tf

    from apps.bert.start import encoder_shape
    from shared.engine.run import load_best, open_run
    from shared.report.attention_plot import draw_heads

    if len(texts) > 2:
        raise KerasuiteError(
            f"SENTENCE: {len(texts)} are given; give one, or a sentence and a pair"
        )
    run = open_run(app, run_folder)
    model, tokenizer = load_best(app, run), app.tokenizer
    rows = [tokenizer(tf.constant([text])) for text in texts]
    max_length = encoder_shape(run).max_positions
    x = tokenizer.pack(rows[0], rows[1] if len(rows) == 2 else None, max_length)
    pieces = tokenizer.pieces(x["token_ids"][0].numpy())
    if len(pieces) < sum(row.row_lengths().numpy()[0] for row in rows) + 1 + len(rows):
        warn(f"SENTENCE: has more than {max_length} word pieces; the rest is not drawn")
    weights = model.encoder(x, output_attentions="weights")["attentions"]
    if not 0 <= layer <= len(weights):
        raise KerasuiteError(f"--layer {layer}: the encoder has the layers 1 to {len(weights)}")
    output.mkdir(parents=True, exist_ok=True)
    chosen = [layer] if layer else range(1, len(weights) + 1)
    for number in chosen:
        draw_heads(pieces, np.array(weights[number - 1][0]), output / f"layer-{number}.png")
    console.print(f"{len(chosen)} layer(s) are drawn in {output}.", markup=False)

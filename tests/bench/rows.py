"""The rows of `make bench`, by name."""

from shared.common.quiet import import_tensorflow
from tests.bench import (
    bert,
    bert_folder,
    classification,
    command_line,
    cyclegan,
    detection,
    distribution,
    embeddings,
    exports,
    forecasting,
    glove,
    language,
    srgan,
    tables,
    translation,
)
from tests.bench.measure import Result

# Row name to the function that measures it; each returns a `measure.Result`.
ROWS = {
    "help": command_line.help_time,
    "classify-predict": classification.folder_inference,
    "classify-memory": classification.memory,
    "classify-input": classification.input_pipeline,
    "skip-gram": embeddings.skip_gram,
    "cbow": embeddings.cbow,
    "embed-memory": embeddings.memory,
    "glove-counting": glove.counting,
    "glove-iteration": glove.iteration,
    "detect-latency-320": detection.latency_320,
    "detect-latency-640": detection.latency_640,
    "detect-training": detection.training,
    "detect-predict": detection.folder_inference,
    "detect-folded": exports.folded_network,
    "detect-around": exports.around_the_network,
    "detect-onnx": exports.onnx_network,
    "detect-onnx-predict": exports.onnx_folder,
    "translate-greedy": translation.greedy,
    "translate-beam": translation.beam,
    "translate-training": translation.training,
    "translate-training-bfloat16": translation.training_bfloat16,
    "lm-transformer-training": language.training_transformer,
    "lm-lstm-training": language.training_lstm,
    "lm-transformer-writing-1": language.writing_transformer_1,
    "lm-transformer-writing-32": language.writing_transformer_32,
    "lm-lstm-writing-1": language.writing_lstm_1,
    "lm-lstm-writing-32": language.writing_lstm_32,
    "lm-prompt": language.prompt_length,
    "lm-memory": language.memory,
    "bert-base": bert.inference_base,
    "bert-minilm": bert.inference_minilm,
    "bert-tinybert": bert.inference_tinybert,
    "bert-minilm-bfloat16": bert.inference_bfloat16,
    "bert-base-training": bert.training_base,
    "bert-minilm-training": bert.training_minilm,
    "bert-minilm-training-bfloat16": bert.training_bfloat16,
    "bert-tinybert-training": bert.training_tinybert,
    "bert-distilled": bert.tinybert_gain,
    "bert-folder": bert_folder.bucketing,
    "table-predict": tables.prediction,
    "table-memory": tables.memory,
    "forecast-lstm-training": forecasting.training_lstm,
    "forecast-transformer-training": forecasting.training_transformer,
    "cyclegan-forward": cyclegan.generator_forward,
    "cyclegan-training": cyclegan.training_step,
    "cyclegan-step": cyclegan.whole_step,
    "srgan-forward": srgan.forward,
    "srgan-training": srgan.training,
    "srgan-memory": srgan.memory,
    "workers": distribution.scaling,
    "checkpoint": distribution.checkpoint_cost,
    "resume": distribution.resume_time,
}


def measured(name: str) -> Result:
    """Measures a row in this process.

    Raises:
        Skipped: if it cannot be measured here.
    """
    import_tensorflow()
    return ROWS[name]()

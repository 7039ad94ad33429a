"""tensorflow-text, or one line where it is missing: there is no wheel of it for Windows."""

from shared.common.packages import TENSORFLOW_TEXT_MEND, require_package


def _require(module: str):
    return require_package(module, "translate, bert and subwords in lm", TENSORFLOW_TEXT_MEND)


tf_text = _require("tensorflow_text")
wordpiece_model_builder = _require(
    "tensorflow_text.core.pybinds.pywrap_fast_wordpiece_tokenizer_model_builder"
)

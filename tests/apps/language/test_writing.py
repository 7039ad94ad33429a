"""Options of writing: bounds, and the inputs of the signature that answers."""

import pytest

from apps.language.config import WritingConfig
from apps.language.prediction.writing import Writing
from shared.common.errors import UsageError

OWN = WritingConfig(max_tokens=50, temperature=0.5, top_k=7, top_p=0.9)


@pytest.mark.parametrize(
    ("options", "signature", "inputs"),
    [
        ({}, "write", {"max_tokens": 50, "stop": [], "temperature": 0.5, "top_k": 7,
                       "top_p": 0.9, "repetition_penalty": 1.0}),
        ({"max_tokens": 3, "temperature": 0.0, "stop": ("\n", "x"), "repetition_penalty": 1.5},
         "write", {"max_tokens": 3, "stop": ["\n", "x"], "temperature": 0.0, "top_k": 7,
                   "top_p": 0.9, "repetition_penalty": 1.5}),
        ({"beam_size": 4, "n_best": 2}, "search",
         {"max_tokens": 50, "stop": [], "beam_size": 4, "n": 2, "length_penalty": 0.6}),
        ({"beam_size": 1, "length_penalty": 0.0}, "search",
         {"max_tokens": 50, "stop": [], "beam_size": 1, "n": 1, "length_penalty": 0.0}),
    ],
)  # fmt: skip
def test_options_choose_the_signature(options, signature, inputs):
    writing = Writing(**options).configured(OWN)
    assert writing.signature == signature and writing.inputs() == inputs


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"max_tokens": 0}, "--max-tokens 0: give 1 to 100,000"),
        ({"samples": 0}, "--samples 0: give at least 1"),
        ({"beam_size": 65}, "--beam-size 65: give 1 to 64"),
        ({"temperature": -1.0}, "--temperature -1.0: "),
        ({"top_p": 0.0}, "--top-p 0.0: "),
        ({"top_k": -1}, "--top-k -1: "),
        ({"seed": -1}, "--seed -1: "),
        ({"repetition_penalty": 0.5}, "--repetition-penalty 0.5: give a number from 1 on"),
        ({"beam_size": 2, "length_penalty": -1.0}, "--length-penalty -1.0: "),
        ({"n_best": 2}, "--n-best and --length-penalty are for a search; add --beam-size"),
        ({"length_penalty": 1.0}, "--n-best and --length-penalty are for a search"),
        ({"beam_size": 2, "n_best": 3}, "--n-best 3: a beam of 2 finds 1 to 2"),
        ({"beam_size": 2, "samples": 3}, "--samples is for random draws"),
        ({"beam_size": 2, "repetition_penalty": 1.1}, "--repetition-penalty is for random draws"),
        ({"beam_size": 2, "seed": 1}, "--seed is for random draws"),
    ],
)
def test_options_out_of_bounds(options, message):
    with pytest.raises(UsageError) as error:
        Writing(**options)
    assert str(error.value).startswith(message) and "\n" not in str(error.value)

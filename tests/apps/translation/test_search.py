"""Options of a search: which go together, and that wrong ones are the command line's fault."""

import pytest

from apps.translation.config import MAX_BEAM, DecodingConfig
from apps.translation.prediction.search import Search
from shared.common.errors import UsageError
from shared.testing.app_test import kerasuite

OWN = DecodingConfig(beam_size=3, length_penalty=0.25)


@pytest.mark.parametrize(
    ("options", "signature", "inputs"),
    [
        ({}, "serving_default", {}),
        ({"beam_size": 7}, "with_options", {"beam_size": 7, "length_penalty": 0.25}),
        ({"length_penalty": 0.0}, "with_options", {"beam_size": 3, "length_penalty": 0.0}),
        ({"n_best": 5}, "n_best", {"n": 5, "beam_size": 3, "length_penalty": 0.25}),
        (
            {"n_best": 5, "beam_size": 8, "length_penalty": 1.0},
            "n_best",
            {"n": 5, "beam_size": 8, "length_penalty": 1.0},
        ),
        (
            {"sample": True, "top_k": 4, "seed": 0},
            "sample",
            {"temperature": 1.0, "top_k": 4, "top_p": 1.0, "seed": 0},
        ),
    ],
)
def test_options_choose_the_signature(options, signature, inputs):
    search = Search(**options)
    assert search.signature == signature
    assert search.inputs(OWN) == inputs


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"beam_size": 0}, "--beam-size 0: give 1 to 256"),
        ({"beam_size": 100_000}, "--beam-size 100000: give 1 to 256"),
        ({"n_best": -1}, "--n-best -1: give 0 to 256"),
        ({"n_best": MAX_BEAM + 1}, "--n-best 257: give 0 to 256"),
        ({"length_penalty": -1.0}, "--length-penalty -1.0: "),
        ({"length_penalty": float("inf")}, "--length-penalty inf: "),
        ({"length_penalty": float("nan")}, "--length-penalty nan: "),
        ({"n_best": 3, "beam_size": 2}, "--n-best 3: a beam of 2 finds no more"),
        ({"sample": True, "n_best": 3}, "--sample draws at random; leave out"),
        ({"sample": True, "beam_size": 3}, "--sample draws at random; leave out"),
        ({"temperature": 1.0}, "--temperature is for random draws; add --sample"),
        ({"top_p": 0.5, "beam_size": 2}, "--top-p is for random draws"),
        ({"sample": True, "temperature": 0.0}, "--temperature 0.0: "),
        ({"sample": True, "temperature": float("inf")}, "--temperature inf: "),
        ({"sample": True, "temperature": float("nan")}, "--temperature nan: "),
        ({"sample": True, "top_k": -1}, "--top-k -1: "),
        ({"sample": True, "top_p": 0.0}, "--top-p 0.0: "),
        ({"sample": True, "top_p": 1.5}, "--top-p 1.5: "),
        ({"sample": True, "seed": 2**31}, "--seed 2147483648: "),
    ],
)
def test_options_out_of_bounds(options, message):
    with pytest.raises(UsageError) as error:
        Search(**options)
    assert str(error.value).startswith(message) and "\n" not in str(error.value)


def test_settings_tell_draws_apart():
    """A resume with another seed is another run; one without draws is what it was before."""
    assert Search(sample=True).settings() != Search(sample=True, seed=2).settings()
    assert Search(sample=True).settings() == Search(sample=True, seed=1, top_k=0).settings()
    assert Search().settings() == {"beam_size": None, "length_penalty": None, "n_best": 0}


@pytest.mark.parametrize(
    "options", ["--n-best 3 --beam-size 2", "--length-penalty inf", "--seed 3"]
)
def test_the_command_line_ends_with_usage(options, tmp_path):
    done = kerasuite("translate", "predict", tmp_path, tmp_path, *options.split())
    assert done.returncode == 2 and done.stdout == ""
    assert len(done.stderr.splitlines()) == 1 and options.split()[0] in done.stderr

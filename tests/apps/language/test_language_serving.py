"""The signatures of a language model against its network and tokenizer, text by text."""

import numpy as np
import pytest
import tensorflow as tf

from apps.language.config import LanguageConfig
from apps.language.serving import LanguageServing
from apps.language.stop_strings import cut_behind, ends_with_stop
from apps.language.tokenizers.kinds import learn_tokenizer, load_tokenizer
from shared.common import config as configs
from shared.text.special_tokens import END
from tests.apps.language.models import next_log_probabilities, small_model

TEXT = "ab cd. e\n"
PROMPTS = ["", "ab", "d. e\nab cd. e\nab cd", "a☃"]


@pytest.fixture(scope="module")
def serving(tmp_path_factory):
    tokenizer = learn_tokenizer("char", iter([TEXT]), 99, tmp_path_factory.mktemp("vocabulary"))
    config = configs.resolve(LanguageConfig, {"preset": "test", "data": ("x",)})
    network = small_model("learned", tokenizer.vocabulary_size, sequence_length=8, num_layers=1)
    return LanguageServing(network, tokenizer, config)


@pytest.fixture(scope="module")
def call(serving):
    """Calls a signature as it is exported, each traced once."""
    compiled = {}

    def answer(name, **inputs):
        specs, function = serving.signatures()[name]
        if name not in compiled:
            signature = tf.function(lambda **given: function(**given))
            compiled[name] = signature.get_concrete_function(**specs)
        tensors = {
            key: tf.constant(value, specs[key].dtype, [len(value)] if specs[key].shape.rank else [])
            for key, value in inputs.items()
        }
        return {key: value.numpy() for key, value in compiled[name](**tensors).items()}

    return answer


OPTIONS = {"max_tokens": 15, "temperature": 1.0, "top_k": 0, "top_p": 1.0}
MORE = {"repetition_penalty": 1.0, "stop": []}


def test_seed_and_prompt_decide_what_is_written(call):
    first = call("with_options", prompt=PROMPTS, seed=[1, 2, 3, 4], **OPTIONS)
    mixed = call("with_options", prompt=[PROMPTS[3], PROMPTS[1]], seed=[4, 2], **OPTIONS)
    assert mixed["text"].tolist() == [first["text"][3], first["text"][1]]
    np.testing.assert_allclose(mixed["score"], first["score"][[3, 1]], rtol=1e-3)
    same = call("with_options", prompt=["ab", "ab", "cd"], seed=[7, 8, 7], **OPTIONS)["text"]
    assert len(set(same.tolist())) == 3
    whole = call("write", prompt=PROMPTS, seed=[1, 2, 3, 4], **OPTIONS, **MORE)
    np.testing.assert_array_equal(whole["text"], first["text"])


def test_the_default_is_as_the_run_was_configured(serving, call):
    own = serving.writing
    options = {name: getattr(own, name) for name in OPTIONS}
    expected = call("with_options", prompt=PROMPTS, seed=[1, 2, 3, 4], **options)
    found = call("serving_default", prompt=PROMPTS, seed=[1, 2, 3, 4])
    assert found["text"].tolist() == expected["text"].tolist()
    assert max(len(text.decode()) for text in found["text"]) <= own.max_tokens == 12


def test_the_score_is_that_of_the_text(serving, call):
    """A short text behind a short prompt, that fit into a window: END and all."""
    options = OPTIONS | {"max_tokens": 4}
    found = call("with_options", prompt=["ab"], seed=[5], **options)
    prompt, text = (serving.tokenizer([t]).to_list()[0] for t in ("ab", found["text"][0]))
    written = text if len(text) == 4 else [*text, END]
    total = sum(
        next_log_probabilities(serving.model, [END, *prompt, *written[:place]])[token]
        for place, token in enumerate(written)
    )
    assert found["score"][0] == pytest.approx(total, abs=1e-3)


def test_no_rows_give_no_rows(call):
    assert call("serving_default", prompt=[], seed=[])["text"].shape == (0,)
    found = call("write", prompt=[], seed=[], **OPTIONS, **MORE)
    assert found["text"].shape == found["score"].shape == (0,)
    search = {"beam_size": 3, "n": 2, "length_penalty": 0.0, "max_tokens": 4, "stop": ["a"]}
    assert call("search", prompt=[], **search)["texts"].shape == (0, 2)
    assert call("score", text=[])["tokens"].shape == (0,)


def test_absurd_options_are_taken_as_the_nearest_possible(call):
    one = call("with_options", prompt=["ab"], seed=[1], **OPTIONS | {"max_tokens": -5})
    assert len(one["text"][0]) <= 1
    search = {"length_penalty": 0.0, "max_tokens": 4, "stop": []}
    assert call("search", prompt=["ab"], beam_size=0, n=3, **search)["texts"].shape == (1, 3)


def test_texts_end_before_a_stop(call):
    """The same text as without, cut; and the writing ended there."""
    seeds = list(range(20))
    prompts, more = ["ab"] * 20, MORE | {"stop": ["cd", ".", "\n", ""]}
    whole = call("write", prompt=prompts, seed=seeds, **OPTIONS, **MORE)
    found = call("write", prompt=prompts, seed=seeds, **OPTIONS, **more)
    for long, text in zip(whole["text"].tolist(), found["text"].tolist(), strict=True):
        places = [long.find(stop) for stop in (b"cd", b".", b"\n") if stop in long]
        assert text == long[: min(places, default=len(long))]
    assert (found["score"] >= whole["score"] - 1e-4).all()
    assert (found["text"] != whole["text"]).any()


@pytest.mark.parametrize("stop", [".", "a.b", "(x|y)*", "[z]\\", "\n\n", "é猫", "^$"])
def test_stops_are_text_and_no_patterns(tmp_path, stop):
    text = "xx" + stop + "yy"
    tokenizer = learn_tokenizer("char", iter([text + "ab|z"]), 999, tmp_path)
    stops = tf.constant([stop])
    assert cut_behind(tf.constant([text, "abz"]), stops).numpy().tolist() == [b"xx", b"abz"]
    tokens = tokenizer([text]).to_tensor()
    ends = [bool(ends_with_stop(tokens, tf.constant(i), stops, tokenizer)[0]) for i in range(9)]
    first = 2 + len(stop) - 1
    assert ends.index(True) == first and not any(ends[:first])


def test_a_search_finds_texts_best_first(serving, call):
    search = {"beam_size": 5, "n": 3, "length_penalty": 0.0, "max_tokens": 4, "stop": []}
    found = call("search", prompt=["ab", ""], **search)
    assert found["texts"].shape == (2, 3) and (np.diff(found["scores"], axis=1) <= 1e-6).all()
    tokens = serving.tokenizer(tf.constant(["ab", ""]))
    best = serving.model.search(tokens, 4, 5, 0.0, num_best=3)
    np.testing.assert_allclose(found["scores"], best.scores, atol=1e-4)


def test_scores_of_texts(serving, call):
    texts = ["ab cd", "", "☃", TEXT * 4]
    found = call("score", text=texts)
    assert found["tokens"].tolist() == [5, 0, 1, 36]
    tokens = serving.tokenizer(["ab cd"]).to_list()[0]
    expected = sum(
        next_log_probabilities(serving.model, [END, *tokens[:place]])[token]
        for place, token in enumerate(tokens)
    )
    assert found["log_probability"][0] == pytest.approx(expected, rel=1e-4)
    assert found["log_probability"][1] == 0
    alone = call("score", text=[texts[3]])["log_probability"]
    assert found["log_probability"][3] == pytest.approx(alone[0], rel=1e-5)


def test_tokens_of_prompts_are_counted(call):
    found = call("count_tokens", prompt=PROMPTS, max_tokens=3)
    assert found["tokens"].tolist() == [0, 2, 19, 2] and found["unknown"].tolist() == [0, 0, 0, 1]
    # Of eight positions three are written, and the last token of the prompt is, too.
    assert found["read"].tolist() == [0, 2, 6, 2]


@pytest.mark.parametrize("kind", ["word", "unigram"])
def test_prompt_and_text_are_the_whole_text(kind, tmp_path):
    """The space between two words belongs to what was written."""
    text = "the cat sat on the mat .\nthe dog sat on the cat .\n" * 6
    size = learn_tokenizer(kind, iter([text]), 300, tmp_path).vocabulary_size
    network = small_model("gru", vocabulary=size)
    # After the network: setting a seed clears TensorFlow's kernels, and a tokenizer with them.
    tokenizer = load_tokenizer(kind, tmp_path)
    config = configs.resolve(LanguageConfig, {"preset": "test", "data": ("x",)})
    serving = LanguageServing(network, tokenizer, config)
    prompt = tokenizer(tf.constant(["the cat", "the", ""]))
    behind = tokenizer(tf.constant(["sat on\nthe dog"])).to_tensor()
    written = tf.tile(behind[:, None], [3, 1, 1])
    found = serving._behind(prompt, written)[:, 0].numpy().tolist()
    assert found == [b" sat on\nthe dog", b" sat on\nthe dog", b"sat on\nthe dog"]
    within = tokenizer(tf.constant(["the dog\n"]))
    assert serving._behind(within, behind[None])[0, 0].numpy() == b"sat on\nthe dog"

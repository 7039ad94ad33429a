"""Scores of translations against sacreBLEU on the same lists; the report's files."""

import re

import numpy as np
import pytest
import sacrebleu
from PIL import Image
from sacrebleu.metrics import BLEU

from apps.translation.config import DecodingConfig
from apps.translation.evaluator import TranslationEvaluator, bleu_metric
from apps.translation.languages import separator
from apps.translation.pairs.sentence_pairs import SentencePairs
from shared.text.special_tokens import END, PAD
from shared.text.subword_tokenizer import SubwordTokenizer, train_tokenizer

GERMAN = [
    "Ein Mann schläft in einem grünen Raum auf einem Sofa.",
    "Zwei Hunde laufen über eine Wiese, die naß ist!",
    "Eine Frau liest.",
    "Drei Kinder spielen Fußball im Park, während ihre Eltern zusehen und sich unterhalten.",
    "<b>Ein</b> Junge & sein Ball",
]
CHINESE = ["我爱你。", "他昨天去了学校，今天没有去。", "一二三四五六七八九十", "你好 世界"]
WORDS = re.compile(r"\w+")


def make_pairs(targets):
    sources = [" ".join(["word"] * (3 * number + 2)) for number in range(len(targets))]
    return SentencePairs(sources, targets, [f"val.tsv:{n + 1}" for n in range(len(targets))])


@pytest.fixture(scope="module")
def tokenizer():
    return SubwordTokenizer(train_tokenizer(GERMAN + CHINESE, "bpe", 400))


def evaluate(tokenizer, targets, translations, language, batch_size=2, seed=0):
    """Feeds translations in shuffled batches, as padded tokens."""
    decoding = DecodingConfig(beam_size=7, length_penalty=0.25)
    evaluator = TranslationEvaluator(tokenizer, make_pairs(targets), language, decoding)
    order = np.random.default_rng(seed).permutation(len(targets))
    for begin in range(0, len(order), batch_size):
        chosen = order[begin : begin + batch_size]
        rows = [tokenizer([translations[index]]).to_list()[0] for index in chosen]
        tokens = np.full((len(rows), max(map(len, rows)) + 1), PAD, np.int32)
        for row, ids in zip(tokens, rows, strict=True):
            row[: len(ids)], row[len(ids) :][:1] = ids, END
        y = {"labels": np.zeros((len(rows), 1), np.int32), "index": chosen.astype(np.int32)}
        scores = np.zeros(len(rows), np.float32)
        evaluator.update((None, y), {"tokens": tokens, "score": scores})
    return evaluator


def spoiled(targets):
    """Some right, some wrong, some empty."""
    rows = list(targets)
    rows[0] = " ".join(rows[0].split()[:-1]) + " x"
    rows[1] = ""
    return rows


@pytest.mark.parametrize(
    ("targets", "language", "tokenize"),
    [(GERMAN, "de", "13a"), (CHINESE, "zh", "zh"), (CHINESE, "zh-CN", "zh"), (GERMAN, "", "13a")],
)
def test_equals_sacrebleu_in_any_order(tokenizer, targets, language, tokenize):
    translations = spoiled(targets)
    bleu = sacrebleu.corpus_bleu(translations, [targets], tokenize=tokenize).score
    chrf = sacrebleu.corpus_chrf(translations, [targets]).score
    assert 0 < bleu < 100
    for seed in (0, 1, 2):
        result = evaluate(tokenizer, targets, translations, language, seed=seed).result()
        assert result == {
            "bleu": pytest.approx(bleu),
            "chrf": pytest.approx(chrf),
            "exact": pytest.approx((len(targets) - 2) / len(targets)),
        }


def test_signatures_say_what_was_computed(tokenizer, tmp_path):
    for language, tokenize in (("de", "13a"), ("zh", "zh"), ("ja", "(ja-mecab.*|char)")):
        report = evaluate(tokenizer, GERMAN, GERMAN, language).report(tmp_path)
        assert (report["beam_size"], report["length_penalty"]) == (7, 0.25)
        assert re.fullmatch(
            rf"nrefs:1\|case:mixed\|eff:no\|tok:{tokenize}\|smooth:exp\|version:.+",
            report["bleu_signature"],
        )
        assert report["chrf_signature"].startswith("nrefs:1|case:mixed|eff:yes|nc:6|nw:0|")


def test_one_pair_and_empty_translations(tokenizer, tmp_path):
    evaluator = evaluate(tokenizer, GERMAN[:1], GERMAN[:1], "de")
    assert evaluator.result() == {
        "bleu": pytest.approx(100),
        "chrf": pytest.approx(100),
        "exact": 1.0,
    }
    assert evaluator.report(tmp_path)["pairs"] == 1
    nothing = evaluate(tokenizer, GERMAN, [""] * len(GERMAN), "de")
    assert nothing.result() == {"bleu": 0.0, "chrf": 0.0, "exact": 0.0}
    assert nothing.report(tmp_path)["by_length"]


def test_rows_of_nothing_but_padding(tokenizer):
    evaluator = TranslationEvaluator(tokenizer, make_pairs(["a", "b"]), "de", DecodingConfig())
    for index, tokens in ((1, np.zeros((1, 0), np.int32)), (0, np.full((1, 3), PAD, np.int32))):
        evaluator.update((None, {"index": np.array([index])}), {"tokens": tokens})
    assert evaluator.result()["exact"] == 0.0


def test_equal_text_in_another_composition_is_exact(tokenizer):
    targets = ["Gru\u0308n  ist\u00a0es"]
    assert evaluate(tokenizer, targets, ["Gr\u00fcn ist es"], "de").result()["exact"] == 1.0


def test_by_length_scores_each_class_alone(tokenizer, tmp_path):
    translations = spoiled(GERMAN)
    by_length = evaluate(tokenizer, GERMAN, translations, "de").report(tmp_path)["by_length"]
    # Sources have 2, 5, 8, 11 and 14 words.
    classes = {"up to 5": [0, 1], "6-10": [2], "11-15": [3, 4]}
    assert list(by_length) == list(classes)
    for name, indices in classes.items():
        part = [[side[index] for index in indices] for side in (translations, GERMAN)]
        assert by_length[name] == {
            "pairs": len(indices),
            "bleu": pytest.approx(sacrebleu.corpus_bleu(part[0], [part[1]], force=True).score),
            "chrf": pytest.approx(sacrebleu.corpus_chrf(part[0], [part[1]]).score),
        }
    assert np.asarray(Image.open(tmp_path / "plots/by_length.png")).std() > 0


def test_lengths_beyond_the_last_class(tokenizer, tmp_path):
    pairs = SentencePairs(["w " * 60, "w " * 61], GERMAN[:2], ["a:1", "a:2"])
    evaluator = TranslationEvaluator(tokenizer, pairs, "de", DecodingConfig())
    tokens = tokenizer(GERMAN[:2]).to_tensor().numpy()
    evaluator.update((None, {"index": np.array([0, 1])}), {"tokens": tokens})
    assert list(evaluator.report(tmp_path)["by_length"]) == ["41-60", "61 and more"]


def test_table_and_page_hold_every_translation(tokenizer, tmp_path):
    targets = [f"{GERMAN[n % 5]} {n}" for n in range(120)]
    targets[7] = "mit\tTab"
    translations = [*targets[:-1], "ganz etwas anderes"]
    evaluator = evaluate(tokenizer, targets, translations, "de", batch_size=32)
    evaluator.report(tmp_path)
    table = (tmp_path / "samples/translations.tsv").read_text(encoding="utf-8").splitlines()
    assert table[0] == "where\tsource\treference\ttranslation\tchrf"
    assert len(table) == 121 and all(line.count("\t") == 4 for line in table)
    assert table[1].split("\t")[0] == "val.tsv:1" and table[8].split("\t")[2] == "mit Tab"
    for number in (1, 50, 120):
        _, _, reference, translation, score = table[number].split("\t")
        expected = sacrebleu.sentence_chrf(translation, [reference]).score
        assert float(score) == pytest.approx(expected, abs=0.006)
    page = (tmp_path / "samples/translations.html").read_text(encoding="utf-8")
    assert "ganz etwas anderes" in page and "&lt;b&gt;Ein&lt;/b&gt;" in page
    assert "Least like the reference" in page


@pytest.mark.parametrize("language", ["zh", "zh-CN", "zh_Hans", "zho_Hans", "cmn", "chi", "yue"])
def test_chinese_by_any_of_its_codes(language):
    """One of some six characters is wrong in every line: sacreBLEU's own tokenizer sees it."""
    references = ["今天天气很好", "我来到北京城", "他们去学校了"]
    translations = [f"{text[:2]}零{text[3:]}" for text in references]
    metric = bleu_metric(language)
    ours = metric.corpus_score(translations, [references]).score
    assert "tok:zh" in str(metric.get_signature()) and separator(language) == ""
    assert ours == BLEU(tokenize="zh", force=True).corpus_score(translations, [references]).score
    assert ours > 20


def test_other_codes_of_one_language():
    for language in ("de", "deu_Latn", "ger", "", "src"):
        metric = bleu_metric(language)
        metric.corpus_score(["a b"], [["a b"]])
        assert "tok:13a" in str(metric.get_signature()) and separator(language) == " "
    assert separator("jpn_Jpan") == separator("tha_Thai") == ""

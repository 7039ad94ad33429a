"""index.html of the first results: whole, resumed, of several parts, and what is left out of it."""

import pytest

from shared.common.errors import KerasuiteError
from shared.common.inputs import find_inputs
from shared.engine.prediction.merge_shards import merge_if_last
from shared.engine.prediction.predict import predict
from shared.engine.prediction.prediction_files import PredictionFiles
from shared.engine.prediction.prediction_logs import PredictionLogs
from shared.engine.prediction.prediction_page import write_page
from shared.report.page import MarkedText, Span
from tests.shared.engine.prediction import predict_helpers as helpers
from tests.shared.engine.prediction.predict_support import QUIET, make_inputs, restore_first, rows

PICTURE = b"\x89PNG"


class PagePredictor(helpers.FilePredictor):
    """A picture of the input and one that was written beside the log."""

    def pictures(self, row, source, folder):
        source.read_bytes()
        return [(PICTURE, f"<{row['file']}>"), (folder / "upper" / row["file"], row["upper"])]


class SpanPredictor(helpers.LinePredictor):
    """The first two characters of each line are marked."""

    def marked_text(self, row, source):
        return MarkedText(f"line {row['line']}", source.content.decode(), [Span(0, 2, "first")])


def run(model, inputs, output, predictor=None, **options):
    predictor = predictor or PagePredictor()
    sources = find_inputs([inputs], output=output, shard=options.get("shard"))
    return predict(model, sources, predictor, output, **QUIET | options)


def test_a_page_of_the_first_results(model, tmp_path, load_once):
    inputs = make_inputs(tmp_path / "in", 120)
    run(model, inputs, tmp_path / "out")
    page = (tmp_path / "out" / "index.html").read_text()
    names = [row["file"] for row in rows(tmp_path / "out" / "predictions.jsonl")]
    shown = [name for name in names if f"&lt;{name}&gt;" in page]
    assert shown == names[:100] and len(names) > 100
    assert page.count("<img ") == 200 and f'src="upper/{names[0]}"' in page
    assert "The first 100 results" in page and "errors.jsonl" in page


def test_a_resumed_run_and_several_parts_write_the_same_page(model, inputs, tmp_path, load_once):
    whole = tmp_path / "whole"
    run(model, inputs, whole)
    expected = (whole / "index.html").read_bytes()
    assert b"All results" in expected
    restore_first(whole, tmp_path / "resumed", inputs, 37)
    (tmp_path / "resumed" / "index.html").unlink()
    run(model, inputs, tmp_path / "resumed", resume=True)
    assert (tmp_path / "resumed" / "index.html").read_bytes() == expected
    everything = find_inputs([inputs])
    for shard in ("1/2", "2/2"):
        run(model, inputs, tmp_path / "parts", shard=shard)
        assert not (tmp_path / "parts" / "index.html").exists()
        merge_if_last(tmp_path / "parts", "jsonl", shard, everything, PagePredictor())
    assert (tmp_path / "parts" / "index.html").read_bytes() == expected


def test_an_input_that_has_gone_is_named(model, inputs, tmp_path, load_once):
    run(model, inputs, tmp_path / "out")
    gone = rows(tmp_path / "out" / "predictions.jsonl")[3]["file"]
    sources = list(find_inputs([inputs]))
    (inputs / gone).unlink()
    with PredictionFiles(tmp_path / "out") as files:
        write_page(PagePredictor(), sources, PredictionLogs(tmp_path / "out"), files)
    page = (tmp_path / "out" / "index.html").read_text()
    assert (
        f"Left out, as the file cannot be read again: {gone}" in page
        and f"&lt;{gone}&gt;" not in page
    )


def test_a_page_that_is_there_is_not_overwritten(model, inputs, tmp_path, load_once):
    (tmp_path / "out").mkdir()
    (tmp_path / "out" / "index.html").write_text("mine")
    with pytest.raises(KerasuiteError, match="--resume"):
        run(model, inputs, tmp_path / "out")
    assert (tmp_path / "out" / "index.html").read_text() == "mine"


def test_without_pictures_there_is_no_page(model, inputs, tmp_path, load_once):
    helpers.run(model, inputs, tmp_path / "out", **QUIET)
    assert not (tmp_path / "out" / "index.html").exists()


def test_a_page_of_marked_lines(model, tmp_path, load_once):
    (tmp_path / "in").mkdir()
    (tmp_path / "in" / "a.txt").write_text("alpha\nhost\nbeta\n")
    (tmp_path / "in" / "b.txt").write_text("<gamma>\n")
    run(model, tmp_path / "in", tmp_path / "out", SpanPredictor())
    page = (tmp_path / "out" / "index.html").read_text()
    shown = [
        page.index(text) for text in (">a.txt<", "line 1<", "<mark>al<", "line 3<", "<mark>be<")
    ]
    assert shown == sorted(shown) and page.index(">b.txt<") > shown[-1]
    assert "<mark>&lt;g<small>first</small></mark>amma&gt;" in page and "line 2<" not in page

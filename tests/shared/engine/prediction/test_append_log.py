"""The state of a log after an interrupted write."""

import shutil

import pytest

from shared.common.errors import KerasuiteError
from shared.engine.prediction.append_log import AppendLog

LINES = b'{"file": "a"}\n{"file": "b", "line": 2}\n'


@pytest.mark.parametrize("kept", [LINES, b""])
@pytest.mark.parametrize("tail", [b"", b"x", b'{"torn', b"y" * 200_000])
def test_only_whole_lines_stay(tmp_path, kept, tail):
    path = tmp_path / "log"
    path.write_bytes(kept + tail)
    log = AppendLog(path)
    assert [line.key for line in log.lines()] == [("a", None), ("b", 2)][: len(kept)]
    log.recover()
    assert path.read_bytes() == kept
    assert len(log) == len(kept)
    log.append({"file": "c"})
    log.flush()
    log.close()
    assert path.read_bytes() == kept + b'{"file": "c"}\n'


def test_a_log_that_was_removed_is_missed(tmp_path):
    log = AppendLog(tmp_path / "out" / "log.jsonl")
    log.path.parent.mkdir()
    log.append({"file": "a"})
    log.flush()
    shutil.rmtree(tmp_path / "out")
    log.append({"file": "b"})
    with pytest.raises(KerasuiteError, match=r"log\.jsonl: is no longer there"):
        log.flush()
    log.close()


@pytest.mark.parametrize("row", ['{"file": 1}', '{"file": "a", "line": "x"}', "[]", '{"a": 1}'])
def test_lines_of_other_programs_are_refused(tmp_path, row):
    (tmp_path / "log.jsonl").write_text(f'{{"file": "a", "line": 1}}\n{row}\n')
    with pytest.raises(KerasuiteError, match="line 2 is not one of its results"):
        list(AppendLog(tmp_path / "log.jsonl").lines())

"""The state of a log after an interrupted write."""

import pytest

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

"""A text as a row of tokens, and its size."""

import numpy as np
import pytest

from apps.language import token_stream
from apps.language.corpus import Piece
from apps.language.token_stream import TextSize, encode, write_tokens
from apps.language.tokenizers.kinds import learn_tokenizer
from shared.text.special_tokens import END, UNK
from shared.text.token_file import open_tokens

PIECES = [Piece("ab\n"), Piece("ba", True), Piece("a é", True), Piece("bb\n")]


@pytest.mark.parametrize("chunk", [1 << 18, 1, 4])
def test_documents_end_and_sizes_are_counted(tmp_path, chunk, monkeypatch):
    monkeypatch.setattr(token_stream, "CHUNK", chunk)
    tokenizer = learn_tokenizer("char", iter(["ab\n "]), 99, tmp_path)
    named = {c: END + 1 + i for i, c in enumerate(sorted("ab\n "))} | {"|": END, "é": UNK}
    size = write_tokens(PIECES, tokenizer, tmp_path / "tokens.bin")
    assert open_tokens(tmp_path / "tokens.bin").tolist() == [named[c] for c in "|ab\nba|a é|bb\n"]
    assert size == TextSize(tokens=13, unknown=1, documents=2, characters=11, bytes=12, words=5)
    again = TextSize()
    rows = list(encode(PIECES, tokenizer, again))
    assert again == size and len(np.concatenate(rows)) == size.tokens + 1

"""Addresses of other machines are refused with the command that copies from there."""

from pathlib import Path

import pytest

from shared.common.config import RunConfig
from shared.common.errors import KerasuiteError
from shared.common.inputs import find_inputs
from shared.engine.saved_model.saved_models import find_export

ADDRESSES = {
    "gs://bucket/photos": "gcloud storage cp -r gs://bucket/photos",
    "s3://bucket/photos/*.jpg": "aws s3 cp --recursive s3://bucket/photos",
    "https://example.org/a.csv": "curl -LO https://example.org/a.csv",
    "hdfs://server/a": "copy them here and name the copy",
}


@pytest.mark.parametrize("address", ADDRESSES)
def test_addresses_are_refused_in_one_line(address):
    for read in (
        lambda: find_inputs([address]),
        lambda: RunConfig(data=(address,)).refuse_missing_data(),
        lambda: RunConfig(init=address).refuse_missing_init(),
        lambda: find_export(Path(address)),
    ):
        with pytest.raises(KerasuiteError, match="only files of this machine are read") as error:
            read()
        assert ADDRESSES[address] in str(error.value) and "\n" not in str(error.value)
        assert str(error.value).startswith(address)


def test_a_file_may_have_such_a_name(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    (tmp_path / "gs:").mkdir()
    (tmp_path / "gs:" / "a.csv").write_text("a")
    assert len(find_inputs(["gs://a.csv"])) == 1
    RunConfig(data=("gs://a.csv",)).refuse_missing_data()

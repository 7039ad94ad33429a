"""Fifty kills over one training: `make quality`."""

import pytest

from shared.testing import app_test
from tests.apps.app_cases import CASES

pytestmark = pytest.mark.quality


@pytest.mark.parametrize("name", list(CASES))
def test_fifty_kills_end_in_the_same_weights(name, tmp_path):
    case = CASES[name]
    data = list(case.write_data(tmp_path / "data"))
    app_test.run_many_kills_test(case, data, tmp_path, kills=50)

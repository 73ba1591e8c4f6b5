"""The collector is as it was before, whatever happened in between."""

import gc

import pytest

from bitjoule.rtl.garbage import uncollected


@pytest.mark.parametrize("ran", [True, False])
def test_the_collector_is_left_as_it_was_found(ran):
    before = gc.isenabled()
    (gc.enable if ran else gc.disable)()
    try:
        with pytest.raises(KeyError), uncollected():
            assert not gc.isenabled()
            raise KeyError
        assert gc.isenabled() is ran
    finally:
        (gc.enable if before else gc.disable)()

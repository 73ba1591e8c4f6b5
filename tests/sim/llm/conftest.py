"""transformers, as the tests of models run it."""

import warnings
from collections.abc import Iterator
from typing import Any

import pytest


@pytest.fixture(scope="module")
def hf() -> Iterator[Any]:
    """transformers, run as written and without `accelerate`, which it asks for but does not use on a CPU."""
    torch = pytest.importorskip("torch")
    with warnings.catch_warnings(), pytest.MonkeyPatch.context() as patch:
        warnings.simplefilter("ignore")
        transformers = pytest.importorskip("transformers")
        quantizer = pytest.importorskip("transformers.quantizers.quantizer_bitnet")
        pytest.importorskip("transformers.integrations.bitnet")
        patch.setattr(quantizer, "is_accelerate_available", lambda: True)
        with torch.compiler.set_stance("force_eager"), torch.no_grad():
            yield transformers

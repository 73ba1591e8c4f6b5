"""The shape of a trained model as descriptions of models name it; no two of its numbers are equal."""

from bitjoule.sim.quality.shapes import model_shape
from bitjoule.sim.training.config import DecoderShape


def test_each_key_is_that_of_the_training() -> None:
    plain = DecoderShape(layers=3, hidden=32, ffn=24, heads=4, kv_heads=2, activation="silu", sub_norms=False)
    expected = {
        "layers": 3, "hidden": 32, "heads": 4, "kv_heads": 2, "ffn": 24, "ffn_gated": True, "activation": "silu",
        "vocabulary": 256, "tied_embedding": True, "sub_norm": False,
    }  # fmt: skip
    assert model_shape(plain) == expected
    usual = model_shape(DecoderShape(layers=3, hidden=32, ffn=24, heads=4))
    assert usual == expected | {"kv_heads": 4, "activation": "relu2", "sub_norm": True}

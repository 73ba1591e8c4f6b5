"""The decoders of trainings as models whose energy is counted."""

from typing import Any

from bitjoule.sim.training.config import VOCABULARY, DecoderShape


def model_shape(shape: DecoderShape) -> dict[str, Any]:
    """Return the keys of a model, as experiment files write them (`energy_models.architecture.shape.ModelShape`).

    Parameters
    ----------
    shape
        Of a training.
    """
    return {
        "layers": shape.layers,
        "hidden": shape.hidden,
        "heads": shape.heads,
        "kv_heads": shape.heads_of_keys,
        "ffn": shape.ffn,
        "ffn_gated": True,
        "activation": shape.activation,
        "vocabulary": VOCABULARY,
        "tied_embedding": True,
        "sub_norm": shape.sub_norms,
    }

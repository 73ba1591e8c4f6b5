"""A model's config.json beyond its shape: norms, positions, windows, how weights are stored and quantised."""

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from bitjoule.energy_models.architecture.readers.huggingface import read_config
from bitjoule.energy_models.architecture.readers.layer_patterns import layer_windows
from bitjoule.energy_models.architecture.readers.model_types import model_types as counted_types
from bitjoule.energy_models.architecture.shape import ModelShape
from bitjoule.energy_models.inputs.documents import Document
from bitjoule.energy_models.inputs.errors import brief, choices
from bitjoule.energy_models.inputs.json_documents import read_json
from bitjoule.sim.llm.checkpoints.quantisation_config import QuantisationScheme, Weights, read_scheme
from bitjoule.sim.llm.config_values import config_error, mapping, positive
from bitjoule.sim.llm.defaults import model_types
from bitjoule.sim.llm.rope import Rope, read_rope

_ACTIVATIONS = ("relu", "relu2", "silu")  # of gelu there are several


@dataclass(frozen=True)
class ModelConfig:
    """A model as its config.json describes it.

    Parameters
    ----------
    shape
        Dimensions.
    norm_epsilon
        Of every norm of the blocks.
    rope
        Rotary positions.
    windows
        Tokens that a query of each block attends to, its own included; 0 for all before it.
    weights
        Kind of the linears' weights.
    scheme
        How they are quantised, unless they are floats.
    sub_norms
        Names of the norms before the output and the down projection, if the shape has them.
    tokenizer
        ``bytes``, ``characters``, or None: as the folder's files tell.
    stop
        Ids that end a text.
    positions
        Context length, if the file states one; longer texts run nevertheless.
    """

    shape: ModelShape
    norm_epsilon: float
    rope: Rope
    windows: tuple[int, ...]
    weights: Weights
    scheme: QuantisationScheme
    sub_norms: tuple[str, str]
    tokenizer: str | None
    stop: tuple[int, ...]
    positions: int | None

    def quantised(self, name: str) -> bool:
        """Return whether a linear's weights are codes, as transformers decides it.

        Parameters
        ----------
        name
            Its full name, e.g. ``model.layers.0.mlp.up_proj``.
        """
        return self.weights != "float" and not self.scheme.skips(name)


def read_model_config(folder: Path, file: str, weights: Weights | None = None) -> ModelConfig:
    """Read a folder's config.json.

    Parameters
    ----------
    folder
        The model's.
    file
        Its name in messages.
    weights
        Overrides the file's kind for float weights.

    Raises
    ------
    InputError
        It cannot be read, or describes a model that cannot be run.
    """
    document = read_json(folder / "config.json", f"{file}/config.json")
    config: Mapping[str, Any] = document.data
    model_type = config.get("model_type")
    types = model_types().types
    if not isinstance(model_type, str) or model_type not in types:
        # no hint at a near name: it would be another architecture
        raise config_error(document, "model_type", f"unsupported model_type {brief(model_type)}", choices(types))
    shape = read_config(folder, file)
    if shape.activation not in _ACTIVATIONS:
        raise config_error(document, "hidden_act", brief(config.get("hidden_act")), choices(_ACTIVATIONS))
    if shape.head_dim % 2:
        raise config_error(document, "head_dim", f"is {shape.head_dim}", "an even number, as positions are rotary")
    reproduction = model_type == "llama" and config.get("weight_bits") == 1
    if not shape.lm_head:
        wrong = f"{brief(config['architectures'])} has no LM head"
        raise config_error(document, "architectures", wrong, "a class that ends in ForCausalLM")
    weight_kind, scheme = read_scheme(document, reproduction, weights)
    counted = counted_types().types[model_type]
    extension = mapping(document, config, "bitjoule")
    return ModelConfig(
        shape,
        positive(document, config, "rms_norm_eps", types[model_type].norm_epsilon),
        read_rope(document, config, types[model_type].rope_theta),
        tuple(layer_windows(counted, {**counted.defaults, **config}, shape.layers)),
        weight_kind,
        scheme,
        ("inner_attn_ln", "ffn_layernorm") if reproduction else ("attn_sub_norm", "ffn_sub_norm"),
        extension.get("tokenizer"),
        _stop(document, folder, file),
        positions if type(positions := config.get("max_position_embeddings")) is int else None,
    )


def _stop(document: Document, folder: Path, file: str) -> tuple[int, ...]:
    """Return the ids that end a text: generation_config.json's, or else config.json's."""
    name = "generation_config.json"
    if (folder / name).is_file():
        generation = read_json(folder / name, f"{file}/{name}")
        document = generation if generation.data.get("eos_token_id") is not None else document
    eos = document.data.get("eos_token_id")
    ids = eos if isinstance(eos, list) else [] if eos is None else [eos]
    if not all(type(value) is int for value in ids):
        raise config_error(document, "eos_token_id", f"is {brief(eos)}", "an id, or a list of ids")
    return tuple(ids)

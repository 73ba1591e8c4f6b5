"""One model on several chips: the part of each, and what crosses the links between them.

Tensor parallelism (Megatron-LM): each chip has a share of the heads, of the inner width of the FFN, and of the
vocabulary. The sums behind the output and the down projection are added up over all chips, as is the embedding; logits
are gathered. Norms run on every chip. Pipeline parallelism: each chip has a share of the layers. Expert parallelism:
each chip has a share of the experts and of the sequences; tokens go to their experts and come back.
"""

from collections.abc import Mapping
from functools import lru_cache
from typing import Any

from bitjoule.energy_models.architecture.phases import Floats
from bitjoule.energy_models.architecture.shape import ModelShape
from bitjoule.energy_models.formats.schemes import Scheme
from bitjoule.energy_models.inputs.validation import wrong_value
from bitjoule.energy_models.serving.links import S_PER_US, Link, Moved, all_gather, all_reduce, send

SPLIT = ("heads", "ffn", "expert_ffn", "shared_ffn")  # of a layer, each over the chips


UNSPLIT = {"beside": "a state space beside attention", "indexer": "an indexer"}  # whose split over chips is not known


def shard(model: ModelShape, chips: int) -> ModelShape:
    """Return the part of a model that each of several chips has.

    Keys and values are on several chips each where there are fewer heads of them than chips.

    Parameters
    ----------
    model, chips
        The model, and over how many chips its matrices are split.

    Raises
    ------
    PydanticCustomError
        A dimension does not divide, or a layer has a mixer.
    """
    if chips == 1:
        return model
    return _shard(model.model_dump_json(), chips)


@lru_cache(maxsize=256)
def _shard(model: str, chips: int) -> ModelShape:
    """Return the part of a model that is given as JSON."""
    given = ModelShape.model_validate_json(model).model_dump()
    given |= _split(given, chips)
    given["groups"] = [group | _split(group, chips) for group in given["groups"]]
    given["vocabulary"] = -(-given["vocabulary"] // chips)
    return ModelShape.model_validate(given)


def _split(layer: Mapping[str, Any], chips: int) -> dict[str, int]:
    """Return a chip's part of the dimensions that a layer gives."""
    mixer = layer.get("mixer")
    if mixer and mixer["kind"] != "none":
        raise wrong_value(f"layers of {mixer['kind']} on {chips} chips", "pipeline_parallel", "tensor_parallel")
    whole = [what for key, what in UNSPLIT.items() if layer.get(key)]
    whole += ["one matrix in place of a network"] if layer.get("feed_forward") == "linear" else []
    if whole:
        raise wrong_value(f"layers with {whole[0]} on {chips} chips", "pipeline_parallel", "tensor_parallel")
    parts = {key: layer[key] for key in (*SPLIT, "kv_heads") if layer.get(key)}
    for key, width in parts.items():
        if key == "kv_heads" and chips % width == 0:
            parts[key] = 1
            continue
        if width % chips:
            expected = f"a divisor of {width}" + (", or a multiple" if key == "kv_heads" else "")
            raise wrong_value(f"{key} ({width}) is not a multiple of {chips}", expected, "tensor_parallel")
        parts[key] = width // chips
    return parts


def without_experts(model: ModelShape) -> ModelShape:
    """Return a model without its mixtures of experts; what every token uses beside them stays, but for the router.

    Parameters
    ----------
    model
        The model.
    """
    given = model.model_dump()
    for layer in (given, *given["groups"]):
        layer |= _beside_attention(layer)
    if given["groups"]:
        mixtures = [group.get("experts", model.experts) > 1 for group in given["groups"]]
        given["groups"] = [
            group | (_dense(group.get("shared_ffn", model.shared_ffn)) if mixture else {})
            for group, mixture in zip(given["groups"], mixtures, strict=True)
        ]
    elif model.experts > 1:
        given |= _dense(model.shared_ffn)
    return ModelShape.model_validate(given)


def _dense(shared_ffn: int) -> dict[str, Any]:
    """Return the keys of a mixture's layer with its shared experts alone, which are one network, or with none."""
    bare: dict[str, Any] = {"experts": 1, "active_experts": 1, "shared_ffn": 0, "shared_gate": False}
    bare |= {"expert_latent": 0, "branch_norms": False, "router_bias": False}
    return bare | ({"ffn": shared_ffn} if shared_ffn else {"feed_forward": False})


def _beside_attention(layer: Mapping[str, Any]) -> dict[str, Any]:
    """Return a layer's adapters but for those of experts, and no rotations."""
    adapters = layer.get("adapters")
    if adapters and adapters["on"] != "all":
        names = [name for name in adapters["on"] if not name.startswith("ffn_")]
        return {"adapters": {**adapters, "on": names} if names else None, "hadamard": None}
    return {"hadamard": None} if layer.get("hadamard") else {}


def expert_traffic(model: ModelShape, link: Link, chips: int, rows: Floats, bits: int) -> Moved:
    """Return what a step moves to the experts on other chips and back, an all-to-all each way in every mixture.

    Parameters
    ----------
    model, link, chips, rows, bits
        As for `tensor_traffic`.
    """
    groups = [(group.repeats, group.changes()) for group in model.groups] or [(model.layers, {})]
    values = 0  # of a token, each way
    for repeats, changes in groups:
        keys = ("experts", "active_experts", "expert_latent")
        experts, active, latent = (changes.get(key, getattr(model, key)) for key in keys)
        values += repeats * active * (latent or model.hidden) * (experts > 1)
    sent_bits = 2 * rows * values * bits * (chips - 1) / chips
    mixtures = sum(repeats for repeats, changes in groups if changes.get("experts", model.experts) > 1)
    moved = send(link, sent_bits / chips)  # of one chip
    waits_s = (2 * mixtures - 1) * link.latency_us * S_PER_US * (rows > 0)
    return Moved(moved.bits * chips, moved.seconds + waits_s)


def reductions(model: ModelShape) -> int:
    """Return how often the chips add up a vector for each token: behind attention and FFN, and the embedding.

    Parameters
    ----------
    model
        The whole model.
    """
    total = 1
    for block in model.blocks[1:-1]:
        parallel = model.parallel and len(block.parts) > 1
        total += block.repeats * (1 if parallel else len(block.parts))
    return total


def statistics(scheme: Scheme, model: ModelShape) -> int:
    """Return the values of a token that all chips have to know where they scale the inputs of a matrix together.

    The largest magnitude if inputs are quantised, the sum of squares if they are normed: an all-reduce of its own,
    which is not needed if each chip scales its own part.

    Parameters
    ----------
    scheme, model
        Whether it quantises activations; whether it has norms before the output and down projections.
    """
    return int(scheme.quantises_activations) + int(model.sub_norm or model.linear_norm)


def tensor_traffic(
    model: ModelShape, link: Link, chips: int, rows: Floats, outputs: Floats, bits: int, statistics: int
) -> Moved:
    """Return what a step moves between the chips that share each matrix.

    Parameters
    ----------
    model, link, chips
        The whole model, and the chips' links.
    rows, outputs
        Tokens of all sequences, and those of them that the LM head runs for, shape (steps,).
    bits
        Of a value between the linears.
    statistics
        Values a token that all chips have to know before the output and down projections; see `statistics`.
    """
    vectors = reductions(model)
    moved = all_reduce(link, chips, rows * model.hidden * bits)
    energy_bits, seconds = moved.bits * vectors, moved.seconds * vectors
    if statistics:
        small = all_reduce(link, chips, rows * statistics * bits)
        energy_bits, seconds = energy_bits + small.bits * (vectors - 1), seconds + small.seconds * (vectors - 1)
    logits = all_gather(link, chips, outputs * model.vocabulary * bits * model.lm_head)
    return Moved(energy_bits + logits.bits, seconds + logits.seconds)


def pipeline_traffic(model: ModelShape, link: Link, chips: int, rows: Floats, bits: int) -> Moved:
    """Return what a step moves from chip to chip of a pipeline.

    Parameters
    ----------
    model, link, chips, rows, bits
        As for `tensor_traffic`.
    """
    hop = send(link, rows * model.hidden * bits)
    return Moved(hop.bits * (chips - 1), hop.seconds * (chips - 1))

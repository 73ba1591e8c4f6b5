"""The components of an energy, by name: the one table from which columns, categories and plots are derived.

A part of a model may name a component that is not listed: it is counted after these, in the order of its model.
"""

from collections.abc import Container
from typing import Literal, NamedTuple


class Component(NamedTuple):
    """One component of an energy.

    Parameters
    ----------
    name
        In the long table.
    does
        What its energy is spent on.
    hue, shade
        Components of one hue share a family of colours in plots, in which each has its place.
    optional
        Whether it is left out where no model has it.
    """

    name: str
    does: Literal["matmul", "element-wise", "traffic", "time"]
    hue: Literal["", "projections", "attention", "ffn", "tables", "cache", "element-wise"] = ""
    shade: int = 0
    optional: bool = False


# In the order a block runs them.
COMPONENTS = (
    Component("embedding", "element-wise", "tables"),
    Component("norm", "element-wise", "element-wise"),
    Component("activation_quantisation", "element-wise", "element-wise"),
    Component("rotation", "element-wise", "element-wise", optional=True),
    Component("channel_scaling", "element-wise", "element-wise", optional=True),
    Component("matmul", "matmul"),
    Component("layer_input_gate", "matmul", "tables", 4, optional=True),
    Component("layer_input_proj", "matmul", "tables", 5, optional=True),
    Component("mtp_proj", "matmul", "projections", 8, optional=True),
    Component("q_proj", "matmul", "projections"),
    Component("k_proj", "matmul", "projections", 1),
    Component("v_proj", "matmul", "projections", 2),
    Component("kv_up_proj", "matmul", "projections", 4, optional=True),
    Component("in_proj", "matmul", "projections", 5, optional=True),
    Component("x_proj", "matmul", "projections", 6, optional=True),
    Component("dt_proj", "matmul", "projections", 7, optional=True),
    Component("index_q_proj", "matmul", "projections", 11, optional=True),
    Component("index_k_proj", "matmul", "projections", 12, optional=True),
    Component("index_scores", "matmul", "attention", 2, optional=True),
    Component("index_choice", "element-wise", "element-wise", optional=True),
    Component("convolution", "element-wise", "element-wise", optional=True),
    Component("state_update", "element-wise", "element-wise", optional=True),
    Component("full_precision_conv", "matmul", "tables", 2, optional=True),
    Component("conv", "matmul", "ffn", 4, optional=True),
    Component("pooling", "element-wise", "element-wise", optional=True),
    Component("rotary", "element-wise", "element-wise"),
    Component("kv_cache_write", "traffic", "cache", 1),
    Component("attention_scores", "matmul", "attention"),
    Component("softmax", "element-wise", "element-wise"),
    Component("attention_values", "matmul", "attention", 1),
    Component("kv_cache_read", "traffic", "cache"),
    Component("o_proj", "matmul", "projections", 3),
    Component("out_proj", "matmul", "projections", 8, optional=True),
    Component("lora_a", "matmul", "projections", 9, optional=True),
    Component("lora_b", "matmul", "projections", 10, optional=True),
    Component("lora_sum", "element-wise", "element-wise", optional=True),
    Component("ffn_router", "matmul", "ffn", 3),
    Component("ffn_latent", "matmul", "ffn", 4, optional=True),
    Component("ffn_gate", "matmul", "ffn"),
    Component("ffn_up", "matmul", "ffn", 1),
    Component("ffn_down", "matmul", "ffn", 2),
    Component("activation_function", "element-wise", "element-wise"),
    Component("residual", "element-wise", "element-wise"),
    Component("output_rescale", "element-wise", "element-wise"),
    Component("spilled_activations", "traffic"),
    Component("memory_levels", "traffic"),
    Component("pooler", "matmul", "tables", 2, optional=True),
    Component("head_transform", "matmul", "tables", 3, optional=True),
    Component("lm_head", "matmul", "tables", 1),
    Component("classifier", "matmul", "tables", 3, optional=True),
    Component("leakage", "time"),
    Component("static", "time"),
    Component("regulator", "time"),
)


def names(does: str | None = None, hue: str | None = None) -> tuple[str, ...]:
    """Return the names of some components, in order.

    Parameters
    ----------
    does, hue
        Of the components; none for any.
    """
    return tuple(c.name for c in COMPONENTS if does in (None, c.does) and hue in (None, c.hue))


def absent(present: Container[str]) -> frozenset[str]:
    """Return the components that some models leave out.

    Parameters
    ----------
    present
        Those that they have.
    """
    return frozenset(c.name for c in COMPONENTS if c.optional and c.name not in present)


def of_hue(hue: str) -> tuple[str, ...]:
    """Return the components of a hue, in the order of its colours.

    Parameters
    ----------
    hue
        As of `Component`.
    """
    return tuple(c.name for c in sorted(COMPONENTS, key=lambda c: c.shade) if c.hue == hue)

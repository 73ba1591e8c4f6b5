"""The KV cache of a batch: what it holds, what is allocated for it, and the tables of its blocks."""

import math
from typing import NamedTuple

from bitjoule.energy_models.architecture.phases import Floats
from bitjoule.energy_models.architecture.shape import ModelShape
from bitjoule.energy_models.formats.formats import width_bits
from bitjoule.energy_models.formats.schemes import Scheme
from bitjoule.energy_models.serving.lengths import Lengths
from bitjoule.energy_models.serving.options import Options

ENTRY_BITS = 32  # of a block table: the number of a block
BITS_PER_BYTE = 8


class CacheBytes(NamedTuple):
    """Bytes of the caches of a batch at the end of its requests, recurrent states included.

    Parameters
    ----------
    used, allocated
        What holds keys, values and states; what no other sequence can use.
    """

    used: float
    allocated: float

    @property
    def wasted_share(self) -> float:
        """Share of the allocated bytes that hold nothing."""
        return 1 - self.used / self.allocated if self.allocated else 0.0


def cache_bytes(workload: tuple[int, int, int], options: Options, model: ModelShape, scheme: Scheme) -> CacheBytes:
    """Return the bytes of the caches of a batch.

    The shared prefix is there once for all sequences. A contiguous cache reserves `Options.reserved_tokens` a sequence
    if that is more than it gets; a paged one whole blocks.

    Parameters
    ----------
    workload
        Sequences, prompt tokens and new tokens of each.
    options, model, scheme
        How it is served.
    """
    batch, prompt, new = workload
    shared = options.cached_tokens(prompt)
    held = prompt + new
    bits = scheme.stored("kv_cache").bits
    used = allocated = 0.0
    for block in model.blocks:
        for part in block.parts:
            window = part.window or held + options.reserved_tokens
            each = part.cached * part.keeps * block.repeats * bits
            own = min(held - shared, window)  # a window slides from the shared prefix to what is the sequence's own
            in_prefix = min(shared, window)
            room = own
            if options.block_tokens:
                room = options.block_tokens * math.ceil(own / options.block_tokens)
            elif options.reserved_tokens > held:
                room = min(options.reserved_tokens - shared, window)
            state = part.state * block.repeats * width_bits(scheme.vector) * batch
            used += each * (batch * own + in_prefix) + state
            allocated += each * (batch * room + in_prefix) + state
    return CacheBytes(used / BITS_PER_BYTE, allocated / BITS_PER_BYTE)


def full_batch_bytes(
    sequences: int, options: Options, model: ModelShape, scheme: Scheme, lengths: tuple[Lengths, Lengths]
) -> float:
    """Return the bytes that are allocated for the caches of a batch to which requests come at random, on average.

    A long request is in the batch for longer. A contiguous cache is allocated for all its tokens, so for E[N^2] / E[N]
    new tokens; a paged one for those that it has made so far.

    Parameters
    ----------
    sequences, options, model, scheme
        Of the batch, and how it is served.
    lengths
        Prompt and new tokens of requests.
    """
    prompts, news = lengths
    made = news.seen if options.block_tokens else news.mean_square / news.mean
    return cache_bytes((sequences, math.ceil(prompts.mean), math.ceil(made)), options, model, scheme).allocated


def table_bits(options: Options, model: ModelShape, batch: int, context: Floats | float) -> float:
    """Return the bits of block tables that a step reads: an entry for each block of each sequence and layer.

    Parameters
    ----------
    options, model, batch, context
        Size of a block; the layers with a cache; sequences, and the tokens of each.
    """
    layers = 0.0
    for block in model.blocks:
        for part in block.parts:
            if part.cached:
                seen = min(part.window, context) if part.window else context
                layers += block.repeats * math.ceil(seen / options.block_tokens)
    return batch * layers * ENTRY_BITS

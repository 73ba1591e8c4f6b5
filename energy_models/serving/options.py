"""How requests are served: the options of one way, each with a default that changes nothing."""

from typing import Annotated, Literal, Self

from pydantic import Discriminator, Field, Tag, model_validator

from bitjoule.energy_models.inputs.validation import OneOf, Strict, wrong_value
from bitjoule.energy_models.serving.length_options import AnyLengths, OwnLengths, lengths_of
from bitjoule.energy_models.serving.lengths import Lengths
from bitjoule.energy_models.serving.links import Link, links

MAX_CHIPS = 4096
MAX_TOKENS = 1 << 24
MAX_BATCH = 1024  # of continuous batching
NamedOrOwn = Annotated[
    Annotated[str, OneOf(lambda: list(links())), Tag("named")] | Annotated[Link, Tag("own")],
    Discriminator(lambda value: "named" if isinstance(value, str) else "own"),
]


class Options(Strict):
    """One way to serve requests.

    Parameters
    ----------
    name
        Of the way.
    chunk_tokens
        Tokens of a step of prefill; 0 for the whole prompt in one step.
    prefix_hit_share
        Share of each prompt whose keys and values are in the cache from an earlier request.
    attention
        Scores and values as one loop whose scores never leave the chip (FlashAttention), or one after the other, in
        place of the platform's own.
    block_tokens
        Tokens of a block of the KV cache (PagedAttention); 0 for a contiguous cache.
    reserved_tokens
        Tokens that a contiguous cache reserves for a sequence; 0 for as many as it gets.
    draft, draft_tokens, acceptance
        Model that proposes tokens, how many a round, and the probability that the model accepts each.
    tensor_parallel, pipeline_parallel
        Chips that share every matrix; groups of such chips that share the layers.
    expert_parallel
        Chips among which the experts of mixtures are shared out; each runs the rest for its share of the sequences.
    micro_batches
        Equal parts of the batch that follow each other through a pipeline.
    reduce_statistics
        Whether the inputs of the output and down projections are scaled for all chips together; otherwise each chip
        scales its own part, as group quantisation does.
    link
        Between chips: a name (``bitjoule list links``), or its energy, bandwidth and latency.
    decode_platform
        Platform that decodes; keys and values of the prompt cross the link.
    weights_offload_share, cache_offload_share
        Shares of the weights but embedding and LM head, and of keys and values, that lie in the memory of a host.
    host_link
        Between chip and host.
    requests_per_s, max_batch
        Rate at which requests come to a server with continuous batching, and sequences that it decodes together at
        the most; 0 without one.
    prompt_lengths, new_lengths
        Distributions of the prompt and of the new tokens of requests that come at random, independent of each other.
    prompt_spread
        The same as uniform `prompt_lengths` with this share.
    first_token_target_s, token_target_s
        Times to the first token and between two tokens whose share of requests and tokens is reported; 0 for none.
    """

    name: str = Field(pattern=r"^[A-Za-z0-9][A-Za-z0-9 _.+-]*$", max_length=100)
    chunk_tokens: int = Field(default=0, ge=0, le=MAX_TOKENS)
    prefix_hit_share: float = Field(default=0.0, ge=0, le=1)
    attention: Literal["separate", "fused"] | None = None
    block_tokens: int = Field(default=0, ge=0, le=MAX_TOKENS)
    reserved_tokens: int = Field(default=0, ge=0, le=MAX_TOKENS)
    draft: str | None = None
    draft_tokens: int = Field(default=0, ge=0, le=1024)
    acceptance: float | None = Field(default=None, ge=0, le=1)
    tensor_parallel: int = Field(default=1, ge=1, le=MAX_CHIPS)
    pipeline_parallel: int = Field(default=1, ge=1, le=MAX_CHIPS)
    expert_parallel: int = Field(default=1, ge=1, le=MAX_CHIPS)
    micro_batches: int = Field(default=1, ge=1, le=MAX_TOKENS)
    reduce_statistics: bool = True
    link: NamedOrOwn = "nvlink-c2c"
    decode_platform: str | None = None
    weights_offload_share: float = Field(default=0.0, ge=0, le=1)
    cache_offload_share: float = Field(default=0.0, ge=0, le=1)
    host_link: NamedOrOwn = "pcie5-x16"
    requests_per_s: float = Field(default=0.0, ge=0, le=1e9)
    max_batch: int = Field(default=0, ge=0, le=MAX_BATCH)
    prompt_lengths: AnyLengths = "fixed"
    new_lengths: AnyLengths = "geometric"
    prompt_spread: float = Field(default=0.0, ge=0, le=1)
    first_token_target_s: float = Field(default=0.0, ge=0, le=1e9)
    token_target_s: float = Field(default=0.0, ge=0, le=1e9)

    @model_validator(mode="after")
    def _together(self) -> Self:
        if (self.draft is None) != (self.draft_tokens == 0):
            key, missing = ("draft", "draft_tokens") if self.draft else ("draft_tokens", "draft")
            raise wrong_value(f"{key} without {missing}", f"both, or neither ({missing})", key)
        if self.acceptance is not None and self.draft is None:
            raise wrong_value("acceptance without a draft model", "draft and draft_tokens", "acceptance")
        if self.acceptance is None and self.draft is not None:
            raise wrong_value("draft without acceptance", "a probability, 0 to 1 (acceptance)", "draft")
        if self.max_batch and not self.requests_per_s and "requests_per_s" in self.model_fields_set:
            wrong = f"no requests for a max_batch of {self.max_batch}"
            raise wrong_value(wrong, "more than 0, or neither of both keys", "requests_per_s")
        if (self.requests_per_s > 0) != (self.max_batch > 0):
            given, missing = ("requests_per_s", "max_batch") if self.requests_per_s else ("max_batch", "requests_per_s")
            raise wrong_value(f"{given} without {missing}", f"both, or neither ({missing})", given)
        for key in ("prompt_lengths", "new_lengths", "prompt_spread", "first_token_target_s", "token_target_s"):
            if getattr(self, key) != type(self).model_fields[key].default and not self.requests_per_s:
                raise wrong_value(f"{key} without requests_per_s", "requests_per_s and max_batch", key)
        if self.prompt_spread and self.prompt_lengths != "fixed":
            raise wrong_value("prompt_spread with prompt_lengths", "one of the two", "prompt_spread")
        if self.micro_batches > 1 and self.pipeline_parallel == 1:
            wrong = f"{self.micro_batches} micro-batches without a pipeline"
            raise wrong_value(wrong, "pipeline_parallel of at least 2", "micro_batches")
        if self.expert_parallel > 1 and self.tensor_parallel * self.pipeline_parallel * self.micro_batches > 1:
            wrong = "experts on several chips with tensor_parallel, pipeline_parallel or micro_batches"
            raise wrong_value(wrong, "one way to use several chips", "expert_parallel")
        if self.requests_per_s and (self.pipeline_parallel > 1 or self.decode_platform or self.draft):
            key = "draft" if self.draft else "decode_platform" if self.decode_platform else "pipeline_parallel"
            raise wrong_value(f"continuous batching with {key}", "one of the two", key)
        if self.block_tokens and self.reserved_tokens:
            wrong = "a contiguous cache that is in blocks"
            raise wrong_value(wrong, "one of block_tokens and reserved_tokens", "reserved_tokens")
        return self

    def prompts(self, tokens: int) -> Lengths:
        """Return the distribution of prompt tokens.

        Parameters
        ----------
        tokens
            Of the workload.
        """
        return lengths_of(OwnLengths(uniform=self.prompt_spread) if self.prompt_spread else self.prompt_lengths, tokens)

    @property
    def chips(self) -> int:
        """Chips that run a model."""
        return self.tensor_parallel * self.pipeline_parallel * self.expert_parallel

    def cached_tokens(self, prompt: int) -> int:
        """Return the tokens of a prompt that are in the cache already: at least one is computed.

        Parameters
        ----------
        prompt
            Its tokens.
        """
        return min(int(prompt * self.prefix_hit_share), prompt - 1)

    @property
    def between_chips(self) -> Link:
        """The link between chips."""
        return self.link if isinstance(self.link, Link) else links()[self.link]

    @property
    def to_host(self) -> Link:
        """The link between chip and host."""
        return self.host_link if isinstance(self.host_link, Link) else links()[self.host_link]

    @property
    def tokens_per_round(self) -> float:
        """Mean number of tokens that a round of speculative decoding yields (Leviathan et al., equation 1)."""
        drafted, accepted = self.draft_tokens, self.acceptance or 0.0
        if accepted == 1:
            return drafted + 1.0
        return float((1 - accepted ** (drafted + 1)) / (1 - accepted))

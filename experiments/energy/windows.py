"""Whether requests fit the attention windows of their models, which are not modelled."""

from collections.abc import Iterator

from bitjoule.energy_models.architecture.shape import ModelShape
from bitjoule.experiments.energy.resolve import Resolved
from bitjoule.experiments.energy.schema import swept


def beyond_window(resolved: Resolved) -> Iterator[str]:
    """Yield a line for each model whose window is shorter than the longest context of the experiment.

    Parameters
    ----------
    resolved
        The experiment.
    """
    workload = resolved.experiment.workload
    if workload is None:
        return
    prompt, new = max(swept(workload.prompt_tokens)), max(swept(workload.new_tokens))
    for name, model in resolved.models.items():
        if isinstance(model, ModelShape) and 0 < model.window < prompt + new:
            tokens = f"prompt of {prompt}" + (f" and {new} new tokens exceed" if new else " exceeds")
            yield (
                f"model {name}: a {tokens} its attention window of {model.window}; windows are not modelled, and every "
                "layer attends to all tokens"
            )

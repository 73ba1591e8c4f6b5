"""Whether requests fit the attention windows of their models, which the papers' accountings leave out."""

from collections.abc import Iterator

from bitjoule.energy_models.papers.arithmetic import Accounting
from bitjoule.experiments.energy.resolve import Resolved
from bitjoule.experiments.energy.schema import swept


def beyond_window(resolved: Resolved) -> Iterator[str]:
    """Yield a line for each model with a window shorter than the longest context, where windows are not counted.

    Parameters
    ----------
    resolved
        The experiment.
    """
    workload = resolved.experiment.workload
    if workload is None or resolved.experiment.accounting is Accounting.SYSTEM:
        return
    prompt, new = max(swept(workload.prompt_tokens)), max(swept(workload.new_tokens))
    for name, model in resolved.models.items():
        windows = {part.window for block in model.blocks for part in block.parts if 0 < part.window < prompt + new}
        if windows:
            tokens = f"prompt of {prompt}" + (f" and {new} new tokens exceed" if new else " exceeds")
            yield (
                f"model {name}: a {tokens} its attention window of {min(windows)}; the papers' accountings have no "
                "windows, and every layer attends to all tokens"
            )

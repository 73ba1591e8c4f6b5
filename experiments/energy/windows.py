"""Whether requests fit the attention windows of their models, which the papers' accountings leave out."""

from collections.abc import Iterator, Mapping

from bitjoule.energy_models.architecture.block import Described
from bitjoule.energy_models.papers.arithmetic import Accounting
from bitjoule.experiments.energy.schema import RequestSizes, swept


def beyond_window(
    models: Mapping[str, Described], workload: RequestSizes | None, accounting: Accounting
) -> Iterator[str]:
    """Yield a line for each model with a window shorter than the longest context, where windows are not counted.

    Parameters
    ----------
    models, workload
        Of the experiment; none for bare products.
    accounting
        How they are counted.
    """
    if workload is None or accounting is Accounting.SYSTEM:
        return
    prompt, new = max(swept(workload.prompt_tokens)), max(swept(workload.new_tokens))
    for name, model in models.items():
        windows = {part.window for block in model.blocks for part in block.parts if 0 < part.window < prompt + new}
        if windows:
            tokens = f"prompt of {prompt}" + (f" and {new} new tokens exceed" if new else " exceeds")
            yield (
                f"model {name}: a {tokens} its attention window of {min(windows)}; the papers' accountings have no "
                "windows, and every layer attends to all tokens"
            )

"""Numbers as printed in the papers, for comparison with ours."""

from dataclasses import dataclass
from functools import cache

from bitjoule.energy_models.inputs.facts import read_facts
from bitjoule.energy_models.inputs.sources import DATA

FOLDER = DATA / "published"
COLUMNS = (
    "model", "scheme", "technology", "prompt_tokens", "accounting", "baseline", "action", "quantity", "printed",
    "source", "where", "note",
)  # fmt: skip


@dataclass(frozen=True)
class PrintedNumber:
    """One printed cell.

    Parameters
    ----------
    model, scheme, technology, prompt_tokens
        The case it belongs to.
    accounting, baseline
        How it was counted; for a ratio, the scheme whose energy is divided.
    action
        ``add`` or ``mul`` for a part of the energy, empty for all of it.
    quantity
        The summary column it is compared with: ``energy_j`` or ``ratio_to_baseline``.
    printed
        As printed, so that its digits show the precision.
    source, where, note
        Citation key, place, and the cause of a disagreement.
    """

    model: str
    scheme: str
    technology: str
    prompt_tokens: int
    accounting: str
    baseline: str
    action: str
    quantity: str
    printed: str
    source: str
    where: str
    note: str

    def agrees(self, ours: float) -> bool:
        """Return whether `ours`, rounded to the printed digits, is what was printed.

        Parameters
        ----------
        ours
            Our value, in the unit of `quantity`.
        """
        return f"{ours:.{decimals_of(self.printed)}f}" == self.printed


def decimals_of(printed: str) -> int:
    """Return how many digits are printed after the point.

    Parameters
    ----------
    printed
        A number as printed.
    """
    return len(printed.partition(".")[2])


def published_names() -> list[str]:
    """Return the names of the shipped tables of printed numbers."""
    return sorted(path.stem for path in FOLDER.glob("*.csv"))


@cache
def published(name: str) -> tuple[PrintedNumber, ...]:
    """Return a shipped table of printed numbers.

    Parameters
    ----------
    name
        One of `published_names`.

    Raises
    ------
    InputError
        The file's columns are not those of `PrintedNumber`.
    """
    rows = read_facts(FOLDER / f"{name}.csv", COLUMNS)
    return tuple(
        PrintedNumber(
            model=cells["model"],
            scheme=cells["scheme"],
            technology=cells["technology"],
            prompt_tokens=int(cells["prompt_tokens"]),
            accounting=cells["accounting"],
            baseline=cells["baseline"],
            action=cells["action"],
            quantity=cells["quantity"],
            printed=cells["printed"],
            source=cells["source"],
            where=cells["where"],
            note=cells["note"],
        )
        for _, cells in rows
    )

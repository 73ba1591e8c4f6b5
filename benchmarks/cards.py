"""Write the platforms of cards of which no row was given, from their data sheets and the fitted platforms.

Run: ``python benchmarks/cards.py`` after measured_cards.csv or a fitted platform that teaches them changed.
"""

from bitjoule.energy_models.inputs.yaml_core import write_yaml
from bitjoule.energy_models.machines.taught import WRITTEN_BY, card_rows, taught
from bitjoule.energy_models.system.platform.platforms import FOLDER, read_platform


def main() -> None:
    """Write them."""
    for name, cells in card_rows().items():
        teacher = read_platform(FOLDER / f"{cells['taught_by']}.yaml")
        text = f"{WRITTEN_BY}\n{write_yaml(taught(cells, teacher), 110)}"
        (FOLDER / f"{name}.yaml").write_text(text, encoding="utf-8")
        print(name)


if __name__ == "__main__":
    main()

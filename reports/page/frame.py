"""What all pages share: the templates, the look, the scripts and the size."""

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

from bitjoule.reports.figures.style import Theme

if TYPE_CHECKING:
    from jinja2 import Environment
    from markupsafe import Markup

MOST_BYTES = 3_000_000
TEMPLATES, VENDOR = Path(__file__).parent / "templates", Path(__file__).parent / "vendor"
LIBRARY, LICENCES = "plot.min.js", "LICENSES.txt"


def environment() -> "Environment":
    """Return the templates, in which every value is escaped."""
    from jinja2 import Environment, FileSystemLoader, StrictUndefined

    made = Environment(
        loader=FileSystemLoader(TEMPLATES), autoescape=True, undefined=StrictUndefined, trim_blocks=True,
        lstrip_blocks=True,
    )  # fmt: skip
    made.globals["breakable"] = _breakable
    return made


def _breakable(name: str) -> "Markup":
    """Return a name that a narrow page breaks behind its underscores."""
    from markupsafe import Markup, escape

    return Markup("_<wbr>").join(escape(part) for part in name.split("_"))


def fixed(scripts: Sequence[str], version: str) -> dict[str, Any]:
    """Return what ``base.html`` has in every page: style, scripts, licences, version.

    Parameters
    ----------
    scripts
        Names of templates that run after the library of the charts.
    version
        Of bitjoule.
    """
    from markupsafe import Markup

    files = [VENDOR / LIBRARY, *(TEMPLATES / name for name in scripts)]
    return {
        "style": Markup((TEMPLATES / "page.css").read_text(encoding="utf-8")),  # noqa: S704 (ours)
        "scripts": [Markup(path.read_text(encoding="utf-8").replace("</script", "<\\/script")) for path in files],  # noqa: S704
        "version": version, "licences": (VENDOR / LICENCES).read_text(encoding="utf-8"),
    }  # fmt: skip


def series(theme: Theme) -> dict[str, str]:
    """Return the variables of a theme's hues, and of its page.

    Parameters
    ----------
    theme
        Light or dark.
    """
    page = {"--background": theme.background, "--text": theme.text, "--grid": theme.grid}
    return page | {f"--series{i}": colour for i, colour in enumerate(theme.series)}


def declared(variables: Mapping[str, str]) -> str:
    """Return variables as CSS.

    Parameters
    ----------
    variables
        Values by name.
    """
    return "".join(f"{name}:{value};" for name, value in variables.items())

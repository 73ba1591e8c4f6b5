"""Progress of long runs: one line on a terminal, no output elsewhere."""

import sys
import time

from bitjoule.energy_models.inputs.wording import MOST_ALIKE, Alike

WIDTH = 78


class ProgressLine:
    """A line on standard error that shows the steps done, the time elapsed and, once known, the time left."""

    def __init__(self) -> None:
        self._begun = time.monotonic()
        self._warned = Alike()

    def __call__(self, done: int, steps: int, step: str) -> None:
        """Update the line.

        Parameters
        ----------
        done, steps
            Number of steps done, and their total.
        step
            The next step; empty at the end.
        """
        if sys.stderr.isatty():
            elapsed_s = time.monotonic() - self._begun
            left = f", {elapsed_s / done * (steps - done):.0f} s left" if 0 < done < steps else ""
            text = f"{done}/{steps} {elapsed_s:.0f} s{left} {step}"[:WIDTH]
            print(f"\r{text:<{WIDTH}}", end="" if step else "\n", file=sys.stderr, flush=True)

    def say(self, text: str) -> None:
        """Print a piece of the text that the run produces.

        Parameters
        ----------
        text
            The piece.
        """
        print(text, end="", flush=True)

    def warn(self, text: str) -> None:
        """Print a warning on standard error; of many that say the same of different things, the first ones.

        Parameters
        ----------
        text
            One line.
        """
        alike = len(self._warned.add(text))
        if alike <= MOST_ALIKE:
            print(f"bitjoule: {text}", file=sys.stderr)
        elif alike == MOST_ALIKE + 1:
            print(f"bitjoule: more like this in manifest.json: {text}", file=sys.stderr)

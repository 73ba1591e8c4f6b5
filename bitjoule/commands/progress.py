"""Progress of long work: one line on a terminal, nothing elsewhere."""

import sys
import time

WIDTH = 78


class Progress:
    """A line that says how far the work is."""

    def __init__(self) -> None:
        self._begun = time.monotonic()

    def __call__(self, done: int, steps: int, step: str) -> None:
        """Show the line.

        Parameters
        ----------
        done, steps
            How many are done, of how many.
        step
            The next; empty at the end.
        """
        if sys.stderr.isatty():
            text = f"{done}/{steps} {time.monotonic() - self._begun:.0f} s {step}"[:WIDTH]
            print(f"\r{text:<{WIDTH}}", end="" if step else "\n", file=sys.stderr, flush=True)

    def say(self, text: str) -> None:
        """Print text that the run produces.

        Parameters
        ----------
        text
            A piece of it.
        """
        print(text, end="", flush=True)

    def warn(self, text: str) -> None:
        """Print what the user should know.

        Parameters
        ----------
        text
            One line.
        """
        print(f"bitjoule: {text}", file=sys.stderr)

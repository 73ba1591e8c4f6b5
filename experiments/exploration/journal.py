"""Evaluated batches on disk, from which an interrupted exploration goes on exactly where it was.

The search is replayed from its seed; where a batch that it proposes has a file, the file's values take the place of an
evaluation. A file is written whole and then renamed, so that one that exists is complete.
"""

import json
import os
import shutil
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np

from bitjoule.energy_models.inputs.errors import whole_file
from bitjoule.experiments.exploration.evaluation import Evaluations
from bitjoule.experiments.exploration.space.metrics import Amounts

HEADER = "exploration.json"


class Journal:
    """The batches of one exploration.

    Parameters
    ----------
    folder
        Where they are; made with the first batch.
    key
        What the values depend on; batches of another exploration in the folder are removed.

    Raises
    ------
    InputError
        The folder cannot be written.
    """

    def __init__(self, folder: Path, key: dict[str, Any]) -> None:
        self.folder = folder
        header = folder / HEADER
        text = json.dumps(key, indent=1, sort_keys=True) + "\n"
        try:
            if folder.exists() and (not header.is_file() or header.read_text(encoding="utf-8") != text):
                shutil.rmtree(folder)
            folder.mkdir(parents=True, exist_ok=True)
            for unfinished in folder.glob("*.tmp"):
                unfinished.unlink()
            if not header.is_file():
                self._write(header, text.encode())
        except OSError as error:
            raise self._unwritable(error) from None

    def read(self, batch: int, numbers: Sequence[int]) -> Evaluations | None:
        """Return the values of a batch, or none if it was not evaluated.

        Parameters
        ----------
        batch
            Number of the batch.
        numbers
            Of its designs.
        """
        path = self._path(batch)
        if not path.is_file():
            return None
        with np.load(path, allow_pickle=False) as stored:
            if stored["numbers"].tolist() != list(numbers):
                return None
            amounts = Amounts(*(stored[f"amounts.{name}"] for name in Amounts._fields))
            bands = {str(name): stored[f"bands.{i}"] for i, name in enumerate(stored["rows"])}
            return Evaluations(stored["numbers"], tuple(map(str, stored["problems"])), amounts, bands)

    def write(self, batch: int, evaluations: Evaluations) -> None:
        """Keep the values of a batch.

        Parameters
        ----------
        batch
            Number of the batch.
        evaluations
            Of its designs.

        Raises
        ------
        InputError
            The file cannot be written.
        """
        arrays: dict[str, Any] = {"numbers": evaluations.numbers, "problems": np.array(evaluations.problems, dtype="U")}
        arrays |= {f"amounts.{name}": values for name, values in evaluations.amounts._asdict().items()}
        arrays["rows"] = np.array(list(evaluations.bands), dtype="U")
        arrays |= {f"bands.{i}": table for i, table in enumerate(evaluations.bands.values())}
        path = self._path(batch)
        unfinished = path.with_suffix(".tmp")
        try:
            with unfinished.open("wb") as handle:
                np.savez(handle, **arrays)
                handle.flush()
                os.fsync(handle.fileno())
            unfinished.replace(path)
        except OSError as error:
            unfinished.unlink(missing_ok=True)
            raise self._unwritable(error) from None

    def _path(self, batch: int) -> Path:
        return self.folder / f"batch-{batch:06d}.npz"

    def _write(self, path: Path, data: bytes) -> None:
        unfinished = path.with_suffix(".tmp")
        unfinished.write_bytes(data)
        unfinished.replace(path)

    def _unwritable(self, error: OSError) -> Exception:
        return whole_file(str(self.folder), f"cannot be written: {error.strerror}", "a folder that can be written")

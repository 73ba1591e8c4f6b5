"""Compares the tables of two versions: every column of the old ones, as text, to the last digit.

Write results with each version, then compare the folders::

    git worktree add /tmp/old 6b6e0c0
    (cd /tmp/old && python -m bitjoule run NAME... --no-plots --out /tmp/old-results)
    python -m bitjoule run NAME... --no-plots --out /tmp/new-results
    python benchmarks/same_results.py /tmp/old-results /tmp/new-results

Columns that only the new tables have are listed, not compared; texts and pictures are not compared. Exit status 1 if a
value, a row or a table differs.
"""

import csv
import sys
from collections.abc import Iterator
from itertools import zip_longest
from pathlib import Path

SHOWN = 3  # differing rows printed for each table


def differences(old: Path, new: Path) -> Iterator[str]:
    """Yield the differences of two tables, at most `SHOWN` rows.

    Parameters
    ----------
    old, new
        CSV files.
    """
    with old.open(newline="") as before, new.open(newline="") as after:
        old_rows, new_rows = csv.reader(before), csv.reader(after)
        columns, new_columns = next(old_rows), next(new_rows)
        missing = [name for name in columns if name not in new_columns]
        if missing:
            yield f"columns are gone: {', '.join(missing)}"
            return
        places = [new_columns.index(name) for name in columns]
        shown = 0
        for number, (row, other) in enumerate(zip_longest(old_rows, new_rows), 2):
            if row is None or other is None:
                yield f"line {number}: only the {'new' if row is None else 'old'} table goes on"
                return
            picked = [other[place] for place in places]
            if row != picked:
                cells = zip(columns, row, picked, strict=True)
                yield f"line {number}: " + "; ".join(f"{name} {a} -> {b}" for name, a, b in cells if a != b)
                shown += 1
                if shown == SHOWN:
                    yield "and perhaps more"
                    return


def main(old_folder: Path, new_folder: Path) -> int:
    """Compare every table below two folders; return the exit status.

    Parameters
    ----------
    old_folder, new_folder
        Folders of results, one folder an experiment.
    """
    tables = sorted(path.relative_to(old_folder) for path in old_folder.rglob("*.csv"))
    differing = 0
    for table in tables:
        new = new_folder / table
        lines = list(differences(old_folder / table, new)) if new.is_file() else ["the new version wrote none"]
        differing += bool(lines)
        for text in lines:
            print(f"{table}: {text}")
    print(f"{len(tables)} tables compared, {differing} differ")
    return int(differing > 0 or not tables)


if __name__ == "__main__":
    sys.exit(main(Path(sys.argv[1]), Path(sys.argv[2])))

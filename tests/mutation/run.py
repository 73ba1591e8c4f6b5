"""Mutation testing: ``python -m tests.mutation.run --sample 400``; see docs/development.md.

Each mutant is put into a copy of the tree and the tests that can see its module run until one fails; such a test must
pass on the code as it is. A mutant whose tests do not end within the budget is not judged. Two shares are given: of
those judged, and of all, as if what is not judged had survived (a lower bound).
"""

import argparse
import csv
import difflib
import json
import math
import os
import queue
import re
import shutil
import signal
import subprocess
import sys
import tempfile
import threading
import time
from collections import Counter
from collections.abc import Iterator
from pathlib import Path
from typing import NamedTuple

from tests.mutation.mutants import PACKAGES, Mutant, every_place, sample
from tests.mutation.selection import Imports

HERE = Path(__file__).parent
TREE = HERE.parents[1]
EQUIVALENT = HERE / "equivalent.csv"
RESULT = re.compile(r"(?P<test>\S+\.py::.+) (?P<result>PASSED|FAILED|ERROR|SKIPPED|XFAIL|XPASS)\b")
ENDED_S = 60  # within which tests that were ended have ended
SOUND_S = 300  # of a test on the code as it is
NEAR = 8  # test files that come before the rest
LONG_S = 5  # test files that take so long come later, and so do these, which draw pages and run whole experiments
LONG = ("tests/bitjoule/", "tests/docs/", "tests/reports/figures/test_recolour", "tests/reports/energy/test_pictures")
SHORT = ("tests/bitjoule/test_wrong_", "tests/bitjoule/test_simulate_input")
QUICK, SLOW = "not slow and not dear", "slow and not dear"


class Verdict(NamedTuple):
    """What became of a mutant; `by` is the test that failed."""

    mutant: Mutant
    line: str
    changed: str
    outcome: str
    by: str
    seconds: float


def wilson(killed: int, count: int, z: float = 1.96) -> tuple[float, float]:
    """Return the 95 % interval of a share [1]_.

    References
    ----------
    .. [1] Wilson, "Probable inference, the law of succession, and statistical inference", JASA 22, 1927.
    """
    if count == 0:
        return 0.0, 1.0
    share, spread = killed / count, z * z / count
    middle = (share + spread / 2) / (1 + spread)
    half = z / (1 + spread) * math.sqrt(share * (1 - share) / count + spread / 4 / count)
    return middle - half, middle + half


def equivalents() -> set[tuple[str, str]]:
    """Return the known changes that change nothing: a line, and what it becomes. Named without paths, which move."""
    with EQUIVALENT.open(encoding="utf-8", newline="") as handle:
        return {(row["line"], row["becomes"]) for row in csv.DictReader(handle)}


class Copy:
    """A copy of the tree in which one mutant at a time lives, with a cache of its own and a process that runs tests."""

    def __init__(self, folder: Path) -> None:
        self.folder, self.clock = folder / "tree", time.time()
        self.seconds: Counter[str] = Counter()  # the most that each test file has taken so far
        self.lines: queue.Queue[str] = queue.Queue()
        names = subprocess.run(["git", "ls-files", "-z"], cwd=TREE, check=True, capture_output=True, text=True).stdout
        for name in filter(None, names.split("\0")):
            source, target = TREE / name, self.folder / name
            target.parent.mkdir(parents=True, exist_ok=True)
            if source.is_symlink():
                target.symlink_to(source.readlink())
            elif source.exists():
                shutil.copy2(source, target)
        cache = os.environ.get("BITJOULE_CACHE")
        if cache is not None and Path(cache).is_dir():
            shutil.copytree(cache, folder / "cache", ignore=shutil.ignore_patterns("*.lock"))
        # Compiled modules are kept: most of what a mutant's tests import is the same for all.
        environment = {**os.environ, "BITJOULE_CACHE": str(folder / "cache")}
        environment.pop("PYTHONDONTWRITEBYTECODE", None)
        self.server = subprocess.Popen(
            [sys.executable, str(HERE / "serve.py")], cwd=self.folder, env=environment, text=True, errors="replace",
            stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=subprocess.STDOUT,
        )  # fmt: skip
        threading.Thread(target=_read, args=(self.server, self.lines), daemon=True).start()

    def write(self, path: Path, code: str) -> None:
        """Write a module so that no compiled one of another text is taken for it."""
        (self.folder / path).write_text(code, encoding="utf-8")
        self.clock += 2
        os.utime(self.folder / path, (self.clock, self.clock))

    def test(self, selected: list[str], marks: str, budget_s: float) -> tuple[str, str]:
        """Run tests until one fails; return ``passed``, ``failed`` or ``budget``, and the test."""
        options = [
            "-v",
            "-x",
            "-n",
            "0",
            "-p",
            "no:cacheprovider",
            "--tb=no",
            "-m",
            marks,
            "--basetemp",
            f"{self.folder}-tmp",
        ]
        stdin = self.server.stdin
        assert stdin is not None
        print(json.dumps([str(self.folder), [*options, *selected]]), file=stdin, flush=True)
        then, seconds = time.monotonic(), Counter[str]()
        end, last, outcome, process = then + budget_s, "import", "", 0
        while True:
            try:
                line = self.lines.get(timeout=max(end - time.monotonic(), 0.01) if not outcome else ENDED_S)
            except queue.Empty:
                if outcome:
                    raise TimeoutError(f"tests do not end: {selected}") from None
                outcome = "budget"
                _end(process)
                continue
            word, _, rest = line.rstrip().partition(" ")
            if word == "PID":
                process = int(rest)
            elif word == "EXIT":
                break
            elif outcome:
                continue
            elif (found := RESULT.match(line)) is not None:
                last, now = found["test"], time.monotonic()
                seconds[last.split("::")[0]] += now - then
                then = now
                if found["result"] in ("FAILED", "ERROR"):
                    outcome = "failed"
                    _end(process)
            elif word == "ERROR":
                outcome, last = "failed", "import"
        self.seconds |= seconds
        _end(process)  # what the tests started and left
        return (outcome, last) if outcome else ("passed", "") if rest in ("0", "5") else ("failed", last)

    def close(self) -> None:
        """End the process that runs tests."""
        self.server.kill()
        self.server.wait()


def _read(server: "subprocess.Popen[str]", lines: "queue.Queue[str]") -> None:
    for line in server.stdout or ():
        lines.put(line)


def _end(group: int) -> None:
    try:
        if group:
            os.killpg(group, signal.SIGKILL)
    except ProcessLookupError:
        pass


class Runner:
    """Judges mutants, each worker in a copy of its own."""

    def __init__(self, budget_s: float) -> None:
        self.budget_s, self.imports, self.known = budget_s, Imports(TREE), equivalents()
        self.sound: dict[str, str] = {}

    def judge(self, copy: Copy, mutant: Mutant) -> Verdict:
        """Return what becomes of a mutant."""
        start, code = time.monotonic(), (TREE / mutant.path).read_text(encoding="utf-8")
        changed = mutant.apply(code)
        before, after = _difference(code, changed)
        if (before, after) in self.known:
            return Verdict(mutant, before, after, "equivalent", "", 0.0)
        copy.write(mutant.path, changed)
        try:
            outcome, by = self._tested(copy, mutant.path)
        finally:
            copy.write(mutant.path, code)
        if outcome == "failed" and by != "import":
            sound = self._sound(copy, by)
            outcome = {"passed": outcome, "budget": "budget"}.get(sound, "broken test")
        outcome = {"failed": "killed", "passed": "survived"}.get(outcome, outcome)
        return Verdict(mutant, before, after, outcome, by, time.monotonic() - start)

    def _tested(self, copy: Copy, path: Path) -> tuple[str, str]:
        """Run the tests that can see a module: its own, those near to it, the rest, then what takes long."""
        tests = [str(test) for test in self.imports.tests_of(path)]
        mirror = [test for test in tests[:1] if Path(test).name == f"test_{path.name}"]
        order = sorted(tests[len(mirror) :], key=lambda test: _long(test) or copy.seconds[test] >= LONG_S)
        end = time.monotonic() + self.budget_s
        near, rest = order[:NEAR], order[NEAR:]
        stages = [(mirror, QUICK), (near, QUICK), (mirror, SLOW), (near, SLOW), (rest, QUICK)]
        for selected, marks in stages:
            if selected:
                outcome, by = copy.test(selected, marks, end - time.monotonic())
                if outcome != "passed":
                    return outcome, by
        return "passed", ""

    def _sound(self, copy: Copy, case: str) -> str:
        """Return the outcome of a test on the code as it is."""
        test = case.split("[")[0]  # pytest does not find every case again by its name
        if test not in self.sound:
            self.sound[test] = copy.test([test], "not dear", SOUND_S)[0]
        return self.sound[test]


def _long(test: str) -> bool:
    return test.startswith(LONG) and not test.startswith(SHORT)


def _difference(code: str, changed: str) -> tuple[str, str]:
    """Return the lines that differ, as they were and as they are."""
    lines, others = code.splitlines(), changed.splitlines()
    for tag, a, b, c, d in difflib.SequenceMatcher(None, lines, others, autojunk=False).get_opcodes():
        if tag != "equal":
            return " ".join(" ".join(lines[a:b]).split()), " ".join(" ".join(others[c:d]).split())
    return "", ""


def judged(mutants: Iterator[Mutant], budget_s: float, jobs: int, limit_s: float) -> Iterator[Verdict]:
    """Yield verdicts as they come, until all are judged or time is over."""
    runner, one_draws, done = Runner(budget_s), threading.Lock(), queue.Queue[Verdict | None]()
    end = time.monotonic() + limit_s

    def work(folder: Path) -> None:
        copy: Copy | None = None
        try:
            copy = Copy(folder)
            while time.monotonic() < end:
                with one_draws:
                    mutant = next(mutants)
                done.put(runner.judge(copy, mutant))
        except StopIteration:
            pass
        finally:
            if copy is not None:
                copy.close()
            done.put(None)

    with tempfile.TemporaryDirectory() as folder:
        for i in range(jobs):
            threading.Thread(target=work, args=(Path(folder) / str(i),), daemon=True).start()
        left = jobs
        while left:
            verdict = done.get()
            left -= verdict is None
            if verdict is not None:
                yield verdict


def main() -> int:
    """Sample, judge, print; 1 if the share that is killed is below the goal beyond what chance explains."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--sample", type=int, default=400)
    parser.add_argument("--seed", type=int, default=14)
    parser.add_argument("--packages", nargs="+", default=list(PACKAGES))
    parser.add_argument("--every", nargs="+", type=Path, metavar="PATH", help="a mutant of each place of these modules")
    parser.add_argument("--budget", type=float, default=300, metavar="SECONDS", help="of the tests of one mutant")
    parser.add_argument("--limit", type=float, default=math.inf, metavar="SECONDS", help="start no mutant after it")
    parser.add_argument("--jobs", type=int, default=2)
    parser.add_argument("--goal", type=float, default=0.95)
    parser.add_argument(
        "--out", type=Path, help="JSON lines, one for each mutant; those already there are not judged again"
    )
    arguments = parser.parse_args()
    if arguments.every:
        mutants = every_place(TREE, arguments.every, arguments.seed)
    else:
        mutants = sample(TREE, arguments.sample, arguments.seed, tuple(arguments.packages))
    earlier = _recorded(arguments.out)
    mutants = (mutant for mutant in mutants if tuple(map(str, mutant)) not in earlier)
    outcomes = Counter((Path(path).parts[0], outcome) for (path, *_), outcome in earlier.items())
    for verdict in judged(mutants, arguments.budget, arguments.jobs, arguments.limit):
        outcomes[verdict.mutant.path.parts[0], verdict.outcome] += 1
        place = f"{verdict.mutant.path}:{verdict.mutant.line}"
        print(f"{verdict.outcome:10} {verdict.seconds:5.0f} s  {place}  {verdict.by}", flush=True)
        if verdict.outcome not in ("killed", "equivalent"):
            print(f"    - {verdict.line}\n    + {verdict.changed}", flush=True)
        if arguments.out is not None:
            record = {**verdict._asdict(), "mutant": [str(value) for value in verdict.mutant]}
            with arguments.out.open("a", encoding="utf-8") as handle:
                handle.write(json.dumps(record) + "\n")
    upper = 0.0
    for package in (*arguments.packages, ""):
        mine = Counter[str]()
        for (name, outcome), count in outcomes.items():
            mine[outcome] += count if package in ("", name) else 0
        upper = _print_shares(package or "all", mine)
    return int(upper < arguments.goal)


def _recorded(file: Path | None) -> dict[tuple[str, ...], str]:
    """Return the outcomes of the mutants that a file holds; those that ran out of time are tried again."""
    if file is None or not file.exists():
        return {}
    records = [json.loads(line) for line in file.read_text(encoding="utf-8").splitlines()]
    return {tuple(record["mutant"]): record["outcome"] for record in records if record["outcome"] != "budget"}


def _print_shares(name: str, outcomes: Counter[str]) -> float:
    """Print what became of some mutants; return the upper end of the share of those judged."""
    unjudged = outcomes["budget"] + outcomes["broken test"]
    every = outcomes.total() - outcomes["equivalent"]
    low, high = wilson(outcomes["killed"], every - unjudged)
    bound = wilson(outcomes["killed"], every)
    print(
        f"{name}: {outcomes['killed']} of {every - unjudged} killed, 95 % interval {low:.1%} to {high:.1%}; "
        f"{unjudged} not judged (of all {every}: {bound[0]:.1%} to {bound[1]:.1%}); "
        f"{outcomes['equivalent']} equivalent"
    )
    return high


if __name__ == "__main__":
    sys.exit(main())

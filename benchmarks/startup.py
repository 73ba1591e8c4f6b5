"""Start-up time of Python, the import and the command line, and the disk space of an installation.

Run: ``python benchmarks/startup.py`` (about a minute; installs bitjoule into a temporary environment). Prints Markdown;
docs/performance.md quotes it.
"""

import statistics
import subprocess
import sys
import tempfile
import time
from pathlib import Path

ROOT = Path(__file__).resolve().parents[1]


def median_s(*command: str | Path) -> float:
    """Return the median time of a command over 15 runs, after one that is not counted."""
    times = []
    for _ in range(16):
        begun = time.perf_counter()
        subprocess.run(command, check=True, stdout=subprocess.DEVNULL)
        times.append(time.perf_counter() - begun)
    return statistics.median(times[1:])


def main() -> None:
    """Measure and print."""
    bare_s = median_s(sys.executable, "-c", "pass")
    import_s = median_s(sys.executable, "-c", "import bitjoule")
    help_s = median_s(sys.executable, "-m", "bitjoule", "--help")
    with tempfile.TemporaryDirectory() as name:
        environment = Path(name) / "venv"
        subprocess.run([sys.executable, "-m", "venv", environment], check=True)
        before = size_mb(environment)
        begun = time.perf_counter()
        pip = [str(environment / "bin" / "python"), "-m", "pip", "install", "--quiet", "--disable-pip-version-check"]
        subprocess.run([*pip, str(ROOT)], check=True, stderr=subprocess.DEVNULL)
        install_s = time.perf_counter() - begun
        installed = size_mb(environment) - before
    print("| what | measured | goal |\n|---|---:|---:|")
    print(f"| python -c pass | {bare_s:.3f} s | |")
    print(f"| import bitjoule | {import_s:.3f} s, {import_s / bare_s:.1f} x bare Python | <= 0.3 s |")
    print(f"| bitjoule --help | {help_s:.3f} s, {help_s / bare_s:.1f} x bare Python | <= 0.3 s |")
    print(f"| pip install of the core | {install_s:.0f} s | <= 60 s |")
    print(f"| size of the core with everything it needs | {installed:.0f} MB | <= 300 MB |")


def size_mb(folder: Path) -> float:
    """Return the size of a folder's files."""
    return sum(path.lstat().st_size for path in folder.rglob("*") if not path.is_dir()) / 1e6


if __name__ == "__main__":
    main()

"""Time of a whole-model case with every format and serving option, beside a plain case of an earlier build.

Run: ``python benchmarks/every_option.py OLD`` (two minutes). OLD is a worktree of the build to compare with; the build
before the formats and the ways to serve is b98a167^::

    git worktree add /tmp/old b98a167^
    python benchmarks/every_option.py /tmp/old

Both builds run in processes of their own, in turn; of each the processor time of a case of a sweep of 64 is measured,
after imports and data files, for prompt lengths that no case had before. The old one runs a plain request of Llama-3
8B, as its system accounting counts it, and so does this one: once as before, once in a scheme with scales of groups,
rotations, keys and values of 4 and 3 bits. At last it serves that with a paged cache, a shared prefix, a draft model
and two chips. Such a case has more steps, since chunks of a prompt and the draft model have steps of their own; the
last column divides by them. Prints Markdown.
"""

import statistics
import subprocess
import sys
from pathlib import Path

ROUNDS = 5
HERE = Path(__file__).resolve().parents[1]
PLAIN = """\
document = {
    "name": "plain", "accounting": "system", "models": ["llama-3-8b"], "schemes": ["bitnet-b1.58"],
    "technologies": ["7nm"], "platforms": ["ternary-hbm"],
}
def sweep(first):
    return {**document, "workload": {"prompt_tokens": list(range(first, first + 32 * 97, 97)), "new_tokens": 128,
                                     "batch": [1, 8]}}
"""
FORMATS = """\
document = {
    "name": "every", "models": ["llama-3-8b"], "technologies": ["7nm"], "platforms": ["ternary-hbm"],
    "schemes": [{
        "name": "every", "weights": "ternary", "weight_storage": "pq2_0", "activations": "int8",
        "activation_group": 128, "attention": "fp16", "rescale": "fp16", "keys": "int4", "values": "int3",
        "embedding": "pq2_0", "lm_head": "pq2_0",
        "transforms": [{"kind": "hadamard", "on": ["o_proj", "ffn_down"]}],
    }],
    "accounting": "system",
}
def sweep(first):
    return {**document, "workload": {"prompt_tokens": list(range(first, first + 32 * 97, 97)), "new_tokens": 128,
                                     "batch": [1, 8]}}
"""
SERVING = """
del document["accounting"]
document["serving"] = {
    "chunk_tokens": 512, "prefix_hit_share": 0.25, "block_tokens": 16, "draft": "llama-3.2-1b", "draft_tokens": 4,
    "acceptance": 0.8, "tensor_parallel": 2, "weights_offload_share": 0.1,
}
"""
MEASURE = """
import time, warnings
warnings.simplefilter("ignore")
import bitjoule
bitjoule.run(sweep(1000))  # imports, data files, mappings that no prompt changes
begun = time.process_time()
bitjoule.run(sweep(5001))
print((time.process_time() - begun) / 64)
"""


def seconds_of(build: Path, experiment: str) -> float:
    """Return the processor time of a case, in a process of its own.

    Parameters
    ----------
    build, experiment
        A checkout; Python that defines `sweep`.
    """
    command = [sys.executable, "-c", experiment + MEASURE]
    done = subprocess.run(
        command, cwd=build, env={"PYTHONPATH": str(build), "PATH": ""}, check=True, capture_output=True, text=True
    )
    return float(done.stdout)


def main(old: Path) -> None:
    """Measure both in turn and print the table."""
    runs = {
        "plain, before": (old, PLAIN, 2), "plain, now": (HERE, PLAIN, 2), "every format, now": (HERE, FORMATS, 2),
        "every format and option of serving, now": (HERE, FORMATS + SERVING, 6),
    }  # fmt: skip
    seconds: dict[str, list[float]] = {name: [] for name in runs}
    for _ in range(ROUNDS):
        for name, (build, experiment, _) in runs.items():
            seconds[name].append(seconds_of(build, experiment))
    medians = {name: statistics.median(values) for name, values in seconds.items()}
    before = medians["plain, before"]
    print("| case | ms | relative | steps | relative for each step |\n|---|---:|---:|---:|---:|")
    for name, (_, _, steps) in runs.items():
        ratio = medians[name] / before
        print(f"| {name} | {1e3 * medians[name]:.1f} | {ratio:.2f} | {steps} | {2 * ratio / steps:.2f} |")


if __name__ == "__main__":
    main(Path(sys.argv[1]).resolve())

"""Runs on a real Dask scheduler and its workers, on loopback: processes are killed, and nothing changes."""

import signal
import socket
import subprocess
import sys
import time
from contextlib import contextmanager, suppress

import pytest
import yaml

from tests.bitjoule.commands.test_calibrate import CONFIG
from tests.experiments.exploration.cases import document
from tests.sampling import sampled_marks

pytest.importorskip("distributed")
pytest.importorskip("pyarrow")
pytestmark = pytest.mark.slow

SWEEP = """\
name: sweep
models: [bitnet-125m]
schemes: [fp16, int8, bitnet, bitnet-b1.58]
technologies: [45nm, 7nm]
workload: {prompt_tokens: {start: 1, stop: 8192, step: 1}}
baseline: {scheme: fp16}
"""
REQUESTS = """\
name: requests
accounting: system
models: [bitnet-125m]
schemes: [bitnet]
technologies: [7nm]
platforms: [ternary-edge]
workload: {prompt_tokens: {start: 1, stop: 64, step: 1}, new_tokens: 4}
"""
PARTS = 8
LONG_S = 600  # no machine is so busy


class Cluster:
    """A scheduler and workers as processes.

    Parameters
    ----------
    folder
        For what they write.
    """

    def __init__(self, folder):
        self.folder = folder
        with socket.socket() as free:
            free.bind(("127.0.0.1", 0))
            self.port = free.getsockname()[1]
        self.processes = []
        self.scheduler = None

    @property
    def address(self):
        return f"tcp://127.0.0.1:{self.port}"

    def _start(self, *words):
        command = [sys.executable, "-m", *words, "--no-dashboard"]
        process = subprocess.Popen(command, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL, cwd=self.folder)
        self.processes.append(process)
        return process

    def start_scheduler(self):
        words = ("--host", "127.0.0.1", "--port", str(self.port))
        self.scheduler = self._start("distributed.cli.dask_scheduler", *words)

    def start_worker(self):
        return self._start(
            "distributed.cli.dask_worker", self.address, "--nthreads", "1", "--no-nanny", "--host", "127.0.0.1",
            "--local-directory", str(self.folder),
        )  # fmt: skip

    def asked(self):
        """Return how many tasks the scheduler has handed out."""
        from distributed import Client

        def handed_out(dask_scheduler):
            return len([key for key, _, end, *_ in dask_scheduler.transition_log if end == "processing"])

        with Client(self.address, timeout=LONG_S, set_as_default=False) as client:
            return client.run_on_scheduler(handed_out)


def kill(process):
    process.send_signal(signal.SIGKILL)
    process.wait()


@contextmanager
def cluster(folder, workers):
    running = Cluster(folder)
    try:
        running.start_scheduler()
        for _ in range(workers):
            running.start_worker()
        yield running
    finally:
        for process in running.processes:
            with suppress(ProcessLookupError):
                kill(process)


@pytest.fixture(scope="module")
def shared(tmp_path_factory):
    """Return a cluster of two workers for tests that end none of it."""
    from distributed import Client

    with cluster(tmp_path_factory.mktemp("cluster"), 2) as running:
        with Client(running.address, timeout=LONG_S, set_as_default=False) as client:
            client.wait_for_workers(2, timeout=LONG_S)
        yield running


def command(folder, out, *options):
    path = folder / "sweep.yaml"
    path.write_text(SWEEP)
    words = ["run", str(path), "--no-plots", "--results", "parquet", "--out", str(out), *options]
    return [sys.executable, "-m", "bitjoule", *words]


def start(folder, out, *options):
    return subprocess.Popen(command(folder, out, *options), stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)


def ended(run):
    _, err = run.communicate(timeout=LONG_S)
    assert run.returncode == 0, err


def parts(out):
    return sorted(out.glob(".sweep.bitjoule-parts-*/*.npz"))


def wait_for_parts(out, count, run):
    end = time.monotonic() + LONG_S
    while len(parts(out)) < count:
        assert run.poll() is None, f"ended before its part {count}: {run.communicate()[1]}"
        assert time.monotonic() < end
        time.sleep(0.005)


def tables(out, experiment="sweep"):
    folder = out / experiment
    names = sorted(path.relative_to(folder).as_posix() for path in folder.rglob("*") if path.is_file())
    return {name: (folder / name).read_bytes() for name in names if name != "manifest.json"}  # it names the command


@pytest.fixture(scope="module")
def alone(tmp_path_factory):
    """Return the tables of a run without a cluster."""
    folder = tmp_path_factory.mktemp("alone")
    ended(start(folder, folder / "out", "--jobs", "1"))
    found = tables(folder / "out")
    assert sum(name.startswith("results.parquet/") for name in found) == PARTS
    return found


# What happens to a cluster while it runs; each starts processes, and all end in the same bytes.
EVENTS = ["nothing", "a killed worker", "a killed scheduler", "a killed run"]
MARKS = dict(zip(EVENTS, sampled_marks(EVENTS, 2, "events of a cluster"), strict=True))


@pytest.mark.parametrize(
    "workers",
    [
        pytest.param(2, marks=MARKS["nothing"]),
        *(pytest.param(count, marks=pytest.mark.dear) for count in (1, 8)),
    ],
)
def test_any_number_of_workers_writes_the_same_bytes(tmp_path, alone, workers):
    with cluster(tmp_path, workers) as running:
        ended(start(tmp_path, tmp_path / "out", "--scheduler", running.address))
    assert tables(tmp_path / "out") == alone


@pytest.mark.dear
def test_any_number_of_processes_writes_the_same_bytes(tmp_path, alone):
    ended(start(tmp_path, tmp_path / "out", "--jobs", "2"))
    assert tables(tmp_path / "out") == alone


@pytest.mark.parametrize("workers", [pytest.param(1, marks=MARKS["a killed worker"])])
def test_a_killed_worker_changes_nothing(tmp_path, alone, workers):
    with cluster(tmp_path, workers) as running:
        victim = running.processes[1]
        run = start(tmp_path, tmp_path / "out", "--scheduler", running.address)
        wait_for_parts(tmp_path / "out", 1, run)
        kill(victim)
        running.start_worker()
        ended(run)
    assert tables(tmp_path / "out") == alone


@pytest.mark.parametrize("workers", [pytest.param(1, marks=MARKS["a killed scheduler"])])
def test_a_scheduler_that_is_killed_and_restarted_changes_nothing(tmp_path, alone, workers):
    with cluster(tmp_path, workers) as running:
        run = start(tmp_path, tmp_path / "out", "--scheduler", running.address)
        wait_for_parts(tmp_path / "out", 2, run)
        kept = {path: path.stat().st_mtime_ns for path in parts(tmp_path / "out")}
        kill(running.scheduler)
        running.start_scheduler()
        running.start_worker()  # those of the first scheduler end with it
        wait_for_parts(tmp_path / "out", 3, run)
        assert kept.items() <= {path: path.stat().st_mtime_ns for path in parts(tmp_path / "out")}.items()
        ended(run)
    assert tables(tmp_path / "out") == alone


@pytest.mark.parametrize("workers", [pytest.param(2, marks=MARKS["a killed run"])])
def test_a_killed_run_goes_on_with_what_it_reported(tmp_path, alone, workers):
    with cluster(tmp_path, workers) as running:
        run = start(tmp_path, tmp_path / "out", "--scheduler", running.address)
        wait_for_parts(tmp_path / "out", 2, run)
        kill(run)
        run.communicate()
        kept = parts(tmp_path / "out")
        (folder,) = {path.parent for path in kept}
        numbers = {path.stem for path in kept}
        inodes = {(folder / "results.parquet" / f"part-{number}.parquet").stat().st_ino for number in numbers}
        assert not (tmp_path / "out" / "sweep").exists()
        ended(start(tmp_path, tmp_path / "out", "--scheduler", running.address))
    assert tables(tmp_path / "out") == alone
    result = tmp_path / "out" / "sweep" / "results.parquet"
    assert inodes <= {path.stat().st_ino for path in result.iterdir()}  # the files themselves, not others of the bytes
    assert sorted(path.name for path in (tmp_path / "out").iterdir()) == ["sweep"]


@pytest.mark.dear  # waits for half a minute
def test_a_scheduler_that_is_not_there_is_reported(tmp_path, monkeypatch):
    from bitjoule.energy_models.inputs.errors import InputError
    from bitjoule.experiments.output import cluster as module

    monkeypatch.setattr(module, "START_S", 2.0)
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        address = f"tcp://127.0.0.1:{free.getsockname()[1]}"
    with pytest.raises(InputError, match=f"--scheduler:1: {address}: does not answer"):
        module.ClusterExecutor(address)
    monkeypatch.setattr(module, "START_S", 30.0)
    with cluster(tmp_path, 0) as running, pytest.raises(InputError, match="has no worker; expected `dask worker"):
        module.ClusterExecutor(running.address)


def test_a_worker_with_other_code_is_refused(shared, monkeypatch):
    from bitjoule.energy_models.inputs.errors import InputError
    from bitjoule.experiments.output import cluster as module

    with module.cluster(shared.address) as executor:
        assert executor.submit(pow, 3, 4).result(LONG_S) == 81
        monkeypatch.setattr(module, "code_digest", lambda: "other")
        with pytest.raises(InputError, match="has another version of bitjoule"):
            executor.submit(pow, 3, 4).result(LONG_S)
        with pytest.raises(ZeroDivisionError):  # an error of the task itself is not repeated
            monkeypatch.undo()
            executor.submit(divmod, 1, 0).result(LONG_S)


@pytest.fixture
def never_moved(shared):
    """Keep the scheduler, once a second, from moving a task to a worker that has nothing to do at that moment."""
    from distributed import Client

    async def stop(dask_scheduler):
        await dask_scheduler.extensions["stealing"].stop()

    async def start(dask_scheduler):
        await dask_scheduler.extensions["stealing"].start()

    with Client(shared.address, timeout=LONG_S, set_as_default=False) as client:
        client.run_on_scheduler(stop)
        yield
        client.run_on_scheduler(start)


@pytest.mark.usefixtures("never_moved")
def test_no_mapping_is_searched_twice_where_a_run_is_repeated(shared, tmp_path):
    from bitjoule.experiments.energy.grid import grid_of
    from bitjoule.experiments.energy.parts import EnergyWork
    from bitjoule.experiments.energy.resolve import read_experiment
    from bitjoule.experiments.output import cluster as module
    from bitjoule.experiments.output.packed import Packed
    from bitjoule.experiments.output.placement import placed

    def searched(packed, span):  # not of a module: workers do not have the tests
        from distributed import get_worker

        table = packed.value.grid.system._mapped
        before = len(table)
        packed.value(span, None)
        return get_worker().address, len(table) - before

    path = tmp_path / "requests.yaml"
    path.write_text(REQUESTS)
    grid = grid_of(read_experiment(path))
    packed, size = Packed.of(EnergyWork(grid)), len(grid) // PARTS
    numbers, known, in_place = placed(PARTS, 2), [set() for _ in range(PARTS)], []
    for _ in range(8):  # on a machine that does other work, one worker may fall behind, and the other take its parts
        with module.cluster(shared.address, PARTS) as executor:
            tasks = [executor.submit(searched, packed, (first, first + size)) for first in range(0, len(grid), size)]
            found = [task.result(LONG_S) for task in tasks]
            places = [sorted(executor._client.nthreads())[number] for number in numbers]
        assert all((mappings == 0) == (worker in of) for (worker, mappings), of in zip(found, known, strict=True))
        for of, (worker, _) in zip(known, found, strict=True):
            of.add(worker)
        if [worker for worker, _ in found] == places:
            in_place.append([mappings for _, mappings in found])
        if len(in_place) == 2:
            break
    assert in_place[1] == [0] * PARTS


def test_a_run_of_one_part_asks_the_scheduler_too(tmp_path, small, bitjoule, monkeypatch):
    from bitjoule.experiments.output import cluster as module

    monkeypatch.setattr(module, "START_S", 1.0)
    (tmp_path / "small.yaml").write_text(small)
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        address = f"127.0.0.1:{free.getsockname()[1]}"
    status, _, err = bitjoule("run", tmp_path / "small.yaml", "--out", tmp_path, "--scheduler", address)
    assert status == 2
    assert f"--scheduler:1: tcp://{address}: does not answer" in err


def test_an_exploration_on_workers_writes_the_same_bytes(shared, tmp_path, bitjoule):
    path = tmp_path / "small.yaml"
    path.write_text(yaml.safe_dump(document(explore__budget=9, explore__batch=4)))
    words = ("explore", path, "--no-plots", "--out")
    before = shared.asked()
    status, _, err = bitjoule(*words, tmp_path / "far", "--scheduler", shared.address)
    assert status == 0, err
    asked = shared.asked() - before
    assert bitjoule(*words, tmp_path / "here", "--jobs", "1")[0] == 0
    assert tables(tmp_path / "far", "small") == tables(tmp_path / "here", "small")
    assert asked >= 3  # a task a batch, at least
    assert not list(tmp_path.glob("far/.small*"))


def test_an_exploration_asks_the_scheduler_before_it_evaluates_anything(tmp_path, bitjoule, monkeypatch):
    from bitjoule.experiments.output import cluster as module

    monkeypatch.setattr(module, "START_S", 1.0)
    path = tmp_path / "small.yaml"
    path.write_text(yaml.safe_dump(document()))
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        address = f"127.0.0.1:{free.getsockname()[1]}"
    status, _, err = bitjoule("explore", path, "--out", tmp_path / "out", "--scheduler", address)
    assert status == 2
    assert f"--scheduler:1: tcp://{address}: does not answer" in err
    assert not (tmp_path / "out" / "small").exists()


def rows_of(printed):
    """Return the rows that `rtl verify` prints, but for what a clock says."""
    rows = dict(line.split(maxsplit=1) for line in printed.splitlines() if line.strip())
    return rows | {"simulated": rows["simulated"].split(" in ")[0]}


def test_a_verification_on_workers_reports_what_it_does_here(shared, bitjoule):
    words, before = ("rtl", "verify", "tiny_8x4", "--cases", "30"), shared.asked()
    status, far, err = bitjoule(*words, "--scheduler", shared.address)
    assert status == 0, err
    assert shared.asked() - before >= 2  # more cases than one chunk has
    assert rows_of(far) == rows_of(bitjoule(*words)[1])


@pytest.mark.dear  # nine netlists
def test_a_calibration_on_workers_writes_the_same_technology(tmp_path, bitjoule, monkeypatch):
    from bitjoule.gates.calibration import calibration

    plan = calibration.standard_plan()
    monkeypatch.setattr(calibration, "standard_plan", lambda: calibration.replace(plan, operators=[("add", "int8")]))
    config = tmp_path / "array.yaml"
    config.write_text(CONFIG)
    sizes = calibration.fitted_configs(calibration.AcceleratorConfig.from_mapping(yaml.safe_load(CONFIG)))
    words = ("calibrate", config, "--stimulus", "uniform", "-o")
    with cluster(tmp_path, 2) as running:
        status, _, err = bitjoule(*words, tmp_path / "far.yaml", "--scheduler", running.address)
        assert status == 0, err
        assert running.asked() >= len(sizes) + 1  # and an operator
    assert bitjoule(*words, tmp_path / "here.yaml")[0] == 0
    far, here = (yaml.safe_load((tmp_path / f"{name}.yaml").read_text()) for name in ("far", "here"))
    assert far["measured"].pop("command") != here["measured"].pop("command")
    assert far == here

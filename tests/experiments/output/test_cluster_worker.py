"""How a worker of a cluster runs a task."""

from contextlib import nullcontext
from types import SimpleNamespace

import pytest

from bitjoule.experiments.output import cluster

distributed = pytest.importorskip("distributed")


@pytest.mark.parametrize("fails", [False, True])
def test_a_worker_looks_seldom_at_a_task_that_runs_and_as_before_afterwards(fails, monkeypatch):
    from tornado.ioloop import PeriodicCallback

    usual_ms = {"profile": 10.0, "tick": 2000.0, "heartbeat": 100.0}
    periodic = {name: PeriodicCallback(print, each_ms) for name, each_ms in usual_ms.items()}
    monkeypatch.setattr(distributed, "get_worker", lambda: SimpleNamespace(periodic_callbacks=periodic))

    def now_ms():
        if fails:
            raise ZeroDivisionError
        return {name: callback.callback_time for name, callback in periodic.items()}

    with pytest.raises(ZeroDivisionError) if fails else nullcontext():
        found = cluster._call(cluster.code_digest(), now_ms, ())
        assert found == {"profile": 500.0, "tick": 2000.0, "heartbeat": 100.0}
    fails = False
    assert now_ms() == usual_ms

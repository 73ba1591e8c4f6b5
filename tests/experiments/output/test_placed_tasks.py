"""Tasks of a cluster that were handed out for one worker, without a cluster."""

from types import SimpleNamespace
from unittest.mock import Mock

import pytest

from bitjoule.experiments.output.cluster import _Task


@pytest.mark.parametrize(
    ("status", "workers", "to_any"),
    [("pending", [], True), ("pending", ["b"], True), ("pending", ["a", "b"], False), ("finished", ["b"], False)],
)
def test_a_part_that_waits_for_a_worker_that_is_gone_is_handed_out_to_any(status, workers, to_any):
    remote = SimpleNamespace(status=status, release=Mock(), add_done_callback=Mock())
    client = SimpleNamespace(submit=Mock(return_value=remote))
    task = _Task(None, pow, (3, 4))
    task.send(client, "a")
    task.free(workers)
    task.send(client)
    assert [call.kwargs.get("workers") for call in client.submit.call_args_list] == [["a"], None][: 1 + to_any]
    assert remote.release.called == to_any

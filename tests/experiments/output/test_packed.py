"""A value that tasks share is unpickled once in a process, which keeps those of the last two runs."""

from bitjoule.experiments.output.packed import Packed


def test_all_tasks_of_a_run_have_one_object_and_those_of_two_runs_are_kept():
    first, second, third = (Packed.of({"run": number}) for number in range(3))
    values = [first.value, second.value]
    assert values == [{"run": 0}, {"run": 1}]
    # each task of a run brings the bytes anew
    again = [Packed(run.content, run.digest).value for run in (first, second)]
    assert all(new is old for new, old in zip(again, values, strict=True))
    assert third.value == {"run": 2}
    assert second.value is values[1]
    assert first.value == values[0]
    assert first.value is not values[0]

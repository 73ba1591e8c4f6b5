"""Exit statuses."""

OK, FAILURE, WRONG_INPUT, INTERRUPTED = 0, 1, 2, 130

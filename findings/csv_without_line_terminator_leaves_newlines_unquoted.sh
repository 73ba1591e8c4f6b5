#!/usr/bin/env bash
# CPython 3.11.7, csv: a writer with lineterminator="" does not quote a field with a newline; "\r" is quoted only with "\r" in it.
#
# Expected: a field with a line end is quoted whatever ends the rows, as csv.reader takes any of "\n", "\r" and "\r\n" as a row's end.
# Seen: with lineterminator="" the field "two\nlines" is written bare, with "\n" it is quoted, and "a\rb" is quoted only with "\r\n".
# Consequence: text made by such a writer (to join cells by hand) reads back as two rows: give it "\r\n" and cut that off.
set -eu
python3 - <<'PY'
import csv
import io
import sys


def written(text, end):
    file = io.StringIO()
    csv.writer(file, lineterminator=end).writerow([text, "x"])
    return file.getvalue()


print(sys.version.split()[0], [written("two\nlines", end) for end in ("", "\n", "\r\n")], written("a\rb", "\n"))
assert written("two\nlines", "") == "two\nlines,x"
assert written("two\nlines", "\n") == '"two\nlines",x\n'
assert written("a\rb", "\n") == "a\rb,x\n"
assert written("a\rb", "\r\n") == '"a\rb",x\r\n'
rows = list(csv.reader(io.StringIO(written("two\nlines", ""), newline="")))
assert rows == [["two"], ["lines", "x"]]
PY

#!/usr/bin/env bash
# matplotlib 3.11.2: after figure.set_layout_engine("none") every savefig still draws the figure twice; after None, once.
#
# Expected: "none" switches the layout engine off, so that saving costs one drawing, as for a figure that never had one.
# Seen: "none" leaves a placeholder of the old engine, and saving runs the layout's drawing pass for it: 2 draws of each text.
# Consequence: settle a constrained layout once, then set None: saving takes about half the time.
set -eu
work=$(mktemp -d); trap 'rm -rf "$work"' EXIT; cd "$work"
python3 -m venv venv && venv/bin/python -m pip install -q --disable-pip-version-check matplotlib==3.11.2
venv/bin/python - <<'PY'
import io

from matplotlib.backends.backend_agg import FigureCanvasAgg
from matplotlib.figure import Figure
from matplotlib.text import Text

draws = {}
for engine in ("none", None):
    figure = Figure(layout="constrained")
    FigureCanvasAgg(figure)
    figure.add_subplot().set_title("title")
    figure.draw_without_rendering()
    figure.set_layout_engine(engine)
    seen = []
    plain = Text.draw

    def counted(self, renderer, plain=plain, seen=seen):
        seen.append(self.get_text() == "title")
        return plain(self, renderer)

    Text.draw = counted
    figure.savefig(io.BytesIO(), format="png")
    Text.draw = plain
    draws[engine] = sum(seen)
print("draws of the title in one savefig:", draws)
assert draws == {"none": 2, None: 1}
PY

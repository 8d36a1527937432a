"""What all plots share: size, fonts, colours, and the way from matplotlib to inline SVG.

matplotlib draws them: it places ticks, labels and log axes well, and its SVG stands alone.
"""

from __future__ import annotations

import io
import re
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any

from engine.core.errors import OptionError

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

INK = "#22303a"
MUTED = "#6b7880"
LINE = "#d5dade"
PEER = "#a9b3ba"
BEST_PEER = "#76838c"
YARDSTICK = "#d8c79a"
# Ours, one colour a precision in all plots.
OURS = {"bf16": "#17608f", "fp32": "#c5692b", "fp16": "#5b4b8a"}

WIDTH_IN = 9.6
_STYLE: Any = {
    "font.family": "sans-serif",
    "font.size": 9,
    "axes.titlesize": 9,
    "axes.titleweight": "bold",
    "axes.titlelocation": "left",
    "axes.titlecolor": INK,
    "axes.labelcolor": MUTED,
    "axes.labelsize": 8.5,
    "axes.edgecolor": LINE,
    "axes.spines.top": False,
    "axes.spines.right": False,
    "axes.axisbelow": True,
    "text.color": INK,
    "xtick.color": MUTED,
    "ytick.color": MUTED,
    "xtick.labelsize": 8,
    "ytick.labelsize": 8.5,
    "ytick.labelcolor": INK,
    "ytick.left": False,
    "xtick.major.size": 3,
    "legend.frameon": False,
    "legend.fontsize": 8.5,
    "grid.color": LINE,
    "grid.linewidth": 0.6,
    # Text stays text: it can be searched, and the page's font applies.
    "svg.fonttype": "none",
    # The same results give the same bytes.
    "svg.hashsalt": "generator-engine",
}


@contextmanager
def figure(
    height_in: float, rows: int = 1, columns: int = 1, heights: Sequence[float] | None = None
) -> Iterator[tuple[Figure, list[Axes]]]:
    """A figure of rows x columns axes, in our style; `heights` are those of the rows, relatively.

    Raises OptionError without matplotlib.
    """
    try:
        import matplotlib as mpl
        from matplotlib.figure import Figure
    except ImportError as error:
        raise OptionError("plots need matplotlib; install generator-engine[bench]") from error
    with mpl.rc_context(_STYLE):
        drawn = Figure(figsize=(WIDTH_IN, height_in), layout="constrained")
        axes = drawn.subplots(rows, columns, squeeze=False, height_ratios=heights)
        yield drawn, list(axes.flat)


def to_svg(drawn: Figure, description: str) -> str:
    """The figure as an <svg> element that scales with the page; `description` is read aloud."""
    buffer = io.StringIO()
    drawn.savefig(buffer, format="svg", transparent=True, metadata={"Date": None, "Creator": None})
    text = buffer.getvalue()
    text = text[text.index("<svg") :]
    text = re.sub(r"\s*<metadata>.*?</metadata>", "", text, flags=re.DOTALL)
    # Several figures share a page, and only what is referred to needs its name.
    text = re.sub(r'<g id="[^"]*">', "<g>", text)
    text = re.sub(r' (?:width|height)="[\d.]+pt"', "", text, count=2)
    label = description.replace("&", "&amp;").replace('"', "&quot;").replace("<", "&lt;")
    return text.replace("<svg ", f'<svg role="img" aria-label="{label}" ', 1)

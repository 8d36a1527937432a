"""Small bar charts as inline SVG."""

from __future__ import annotations

from dataclasses import dataclass
from html import escape

_WIDTH, _LABEL, _VALUE, _STEP, _THICKNESS = 420, 96, 64, 22, 14


@dataclass(frozen=True, slots=True)
class Bar:
    """One bar: a label, its length, the text behind it, and a target line if there is one."""

    label: str
    value: float
    text: str
    plain: bool = False
    target: float | None = None


@dataclass(frozen=True)
class Chart:
    """Bars on one scale."""

    title: str
    bars: tuple[Bar, ...]


def draw(chart: Chart) -> str:
    """The chart as an <svg> element; an empty string without bars."""
    if not chart.bars:
        return ""
    longest = max(max(bar.value, bar.target or 0.0) for bar in chart.bars) or 1.0
    scale = (_WIDTH - _LABEL - _VALUE) / longest
    height = _STEP * len(chart.bars)
    parts = [f'<svg viewBox="0 0 {_WIDTH} {height}" role="img" aria-label="{escape(chart.title)}">']
    for i, bar in enumerate(chart.bars):
        top, middle = i * _STEP + (_STEP - _THICKNESS) / 2, i * _STEP + _STEP / 2 + 4
        end = _LABEL + bar.value * scale
        kind = "plain" if bar.plain else "ours"
        parts.append(f'<text x="0" y="{middle:.1f}">{escape(bar.label)}</text>')
        parts.append(
            f'<rect class="{kind}" x="{_LABEL}" y="{top:.1f}" width="{max(1.0, end - _LABEL):.1f}" '
            f'height="{_THICKNESS}" rx="2"/>'
        )
        edge = end
        if bar.target is not None:
            line = _LABEL + bar.target * scale
            edge = max(edge, line)
            parts.append(
                f'<line class="target" x1="{line:.1f}" x2="{line:.1f}" y1="{top - 3:.1f}" '
                f'y2="{top + _THICKNESS + 3:.1f}"/>'
            )
        parts.append(
            f'<text class="value" x="{edge + 6:.1f}" y="{middle:.1f}">{escape(bar.text)}</text>'
        )
    return "".join(parts) + "</svg>"

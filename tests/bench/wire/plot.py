"""Results as a picture: an SVG with a bar for each median and a line from the least
to the most."""

import statistics
from xml.sax.saxutils import escape

from .report import number

WIDTH, LABEL, BAR = 760, 250, 380
LINE, GAP = 22, 34
OURS, OTHERS = "#c2410c", "#94a3b8"
STYLE = "font: 13px sans-serif; fill: #0f172a"


def text(x, y, said, style=""):
    return f'<text x="{x}" y="{y}" style="{STYLE}; {style}">{escape(said)}</text>'


def bar(y, lane, colour, values, most, digits):
    """One lane: its name, a bar as long as its median, the range, the number."""
    def x(value):
        return LABEL + BAR * max(value, 0) / most
    middle = statistics.median(values)
    yield text(LABEL - 8, y + 14, lane, "text-anchor: end")
    yield (f'<rect x="{LABEL}" y="{y + 3}" width="{x(middle) - LABEL:.1f}" height="14" '
           f'fill="{colour}"/>')
    yield (f'<path d="M{x(min(values)):.1f} {y + 10}H{x(max(values)):.1f}" stroke="#0f172a" '
           'stroke-width="1.5"/>')
    yield text(LABEL + BAR + 12, y + 14, number(middle, digits))


def panel(y, result, figure):
    """All lanes of one figure, from y on; yields nothing where none has it."""
    measured = {lane: values for lane in result.lanes
                if (values := result.values(lane, figure.key))}
    if figure.added:
        measured.pop("direct", None)
    most = max((max(values) for values in measured.values()), default=0)
    if most <= 0:
        return
    yield text(12, y + 14, f"{result.measure.name}: {figure.title}", "font-weight: bold")
    for place, (lane, values) in enumerate(measured.items(), 1):
        colour = OTHERS if lane in result.measure.others() else OURS
        yield from bar(y + place * LINE, lane, colour, values, most, figure.digits)


def svg(results, machine):
    parts, y = [text(12, 20, f"{machine}; medians, and from the least to the most")], 40
    for result in results:
        for figure in result.measure.figures:
            made = list(panel(y, result, figure))
            parts += made
            if made:
                y += LINE * sum("<rect" in one for one in made) + GAP
    return (f'<svg xmlns="http://www.w3.org/2000/svg" width="{WIDTH}" height="{y}">\n'
            '<rect width="100%" height="100%" fill="white"/>\n' + "\n".join(parts) + "\n</svg>\n")

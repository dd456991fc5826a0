"""Results as text: tables and goals in Markdown."""

import statistics


def number(value, digits):
    return f"{value:,.{digits}f}"


def cell(values, digits):
    """median (least … most)"""
    if not values:
        return ""
    middle = number(statistics.median(values), digits)
    if len(values) == 1:
        return middle
    return f"{middle} ({number(min(values), digits)} … {number(max(values), digits)})"


def row(cells):
    return f"| {' | '.join(cells)} |"


def table(result):
    figures = result.measure.figures
    yield f"\n### {result.measure.title}\n"
    yield row(["", *(figure.title for figure in figures)])
    yield "|" + "---|" * (len(figures) + 1)
    for lane in result.lanes:
        yield row([lane, *(cell(result.values(lane, figure.key), figure.digits)
                           for figure in figures)])


def goals(result):
    titles = {figure.key: figure.title for figure in result.measure.figures}
    rows = []
    for goal in result.measure.goals:
        value = result.value_of(goal)
        if value is not None:
            what = f"{titles[goal.figure]}: {goal.of}" + (f" / {goal.over}" if goal.over else "")
            judged = "" if goal.met(value) else "missed"
            rows.append(row([what, f"{value:.2f}", goal.wanted, judged]))
    if rows:
        yield ""
        yield row(["goal", "is", "wanted", ""])
        yield "|" + "---|" * 4
        yield from rows

# SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
"""Bar charts as SVG: rows with names on the left, and a column of bars for each quantity."""

from html import escape

COLOURS = {"ours": "#d9480f", "other": "#4c6ef5", "reference": "#868e96"}
ROW, LABEL, COLUMN, GAP, TOP = 20, 280, 190, 24, 64
TEXT = 'font-family="sans-serif" font-size="12"'


def text(x, y, content, extra=""):
    return f'<text x="{x:.1f}" y="{y:.1f}" {TEXT} fill="#212529" {extra}>{escape(content)}</text>'


def column_svg(left, rows, column):
    """One column: its title, a line at its reference, and bars with their values behind them."""
    present = [value for value in column["values"] if value is not None]
    reference = column.get("reference")
    scale = (COLUMN - 50) / (max(present + [reference or 0]) or 1)
    parts = [text(left, TOP - 14, column["title"], 'font-weight="bold"')]
    for number, ((_, kind), value) in enumerate(zip(rows, column["values"])):
        y = TOP + number * ROW
        if value is None:
            parts.append(text(left, y + 13, "–"))
            continue
        width = max(value * scale, 1)
        parts.append(f'<rect x="{left}" y="{y + 2}" width="{width:.1f}" height="{ROW - 5}" fill="{COLOURS[kind]}"/>')
        parts.append(text(left + width + 4, y + 13, column["format"].format(value)))
    if reference:
        x = left + reference * scale
        parts.append(f'<line x1="{x:.1f}" x2="{x:.1f}" y1="{TOP - 6}" y2="{TOP + len(rows) * ROW}" stroke="#212529" '
                     'stroke-dasharray="3 3"/>')
    return parts


def chart(path, title, rows, columns):
    """rows: [(name, kind)]; columns: [{"title", "values", "format", "reference"}] with a value or None for each row."""
    columns = [column for column in columns if any(value is not None for value in column["values"])]
    width = LABEL + len(columns) * (COLUMN + GAP)
    height = TOP + len(rows) * ROW + 16
    parts = [f'<svg xmlns="http://www.w3.org/2000/svg" width="{width}" height="{height}" '
             f'viewBox="0 0 {width} {height}">',
             f'<rect width="{width}" height="{height}" fill="#ffffff"/>',
             text(8, 22, title, 'font-weight="bold"')]
    parts += [text(LABEL - 8, TOP + number * ROW + 13, name, 'text-anchor="end"')
              for number, (name, _) in enumerate(rows)]
    for number, column in enumerate(columns):
        parts += column_svg(LABEL + number * (COLUMN + GAP), rows, column)
    with open(path, "w", encoding="utf-8") as file:
        file.write("\n".join(parts + ["</svg>"]) + "\n")

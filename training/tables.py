"""Markdown tables."""


def table(columns: list[str], rows: list[list[str]]) -> list[str]:
    """The lines of a table; all columns but the first are numbers, and stand on the right."""
    below = ["---", *["---:"] * (len(columns) - 1)]
    return [f"| {' | '.join(cells)} |" for cells in (columns, below, *rows)]

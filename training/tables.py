"""How measured numbers are written: as Markdown tables, and as JSON."""

import json
from pathlib import Path

from model.files import write_whole


def table(columns: list[str], rows: list[list[str]]) -> list[str]:
    """The lines of a table; all columns but the first are numbers, and stand on the right."""
    below = ["---", *["---:"] * (len(columns) - 1)]
    return [f"| {' | '.join(cells)} |" for cells in (columns, below, *rows)]


def write_json(values: dict, path: Path) -> None:
    """Raises OSError."""
    path.parent.mkdir(parents=True, exist_ok=True)
    write_whole(path, (json.dumps(tidy(values), indent=2) + "\n").encode())


def tidy(values):
    """Five significant digits, and null for what JSON can't hold (the PSNR of equal pictures is infinite)."""
    if isinstance(values, dict):
        return {k: tidy(v) for k, v in values.items()}
    if isinstance(values, list):
        return [tidy(v) for v in values]
    if isinstance(values, float):
        return float(f"{values:.5g}") if abs(values) < float("inf") else None
    return values


def kid(measured: dict) -> str:
    """KID x 1e3: its mean, and its spread over the subsets."""
    return f"{measured['kid_x1e3']:.1f} ± {measured['kid_std_x1e3']:.1f}"

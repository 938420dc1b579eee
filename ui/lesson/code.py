"""The lines of our own code that do what the lesson tells of, as they stand."""

import ast
import html
from functools import cache
from pathlib import Path

ROOT = Path(__file__).parents[2]
# By the names that lesson.html calls them. What is deployed has these two files of training/, too.
SHOWN = {
    "loss": ("training/losses.py", "ClassicLoss.forward"),
    "widest": ("model/latents/basis.py", "Basis.widest"),
    "draw": ("model/vae.py", "reparametrize"),
    "kl": ("model/vae.py", "kl_divergence"),
    "bell": ("model/latents/priors.py", "Normal.draw"),
    "fitted": ("model/latents/priors.py", "Mixture.coordinates"),
    "gan": ("training/gan.py", "Pair.step"),
}


def with_code(page: str) -> str:
    """The page with each `<!-- CODE name -->` replaced by those lines."""
    for name, (file, function) in SHOWN.items():
        page = page.replace(f"<!-- CODE {name} -->", lines(file, function))
    return page


def lines(file: str, function: str) -> str:
    """A function, or a class's method, as HTML."""
    text = (ROOT / file).read_text(encoding="utf-8")
    node: ast.AST = parsed(text)
    for name in function.split("."):
        node = next(part for part in ast.iter_child_nodes(node) if getattr(part, "name", None) == name)
    assert isinstance(node, ast.FunctionDef)
    source = html.escape(ast.get_source_segment(text, node, padded=True) or "")
    for sign in "{$`\\":  # which Gradio's templates would take for their own
        source = source.replace(sign, f"&#{ord(sign)};")
    return f'<p><code>{file}</code>, line {node.lineno}:</p><pre tabindex="0">{source}</pre>'


@cache
def parsed(text: str) -> ast.Module:
    return ast.parse(text)

"""Imports go in one direction only, without cycles (docs/architecture.md)."""

import ast
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.support.tiny import ROOT

MAY_IMPORT = {
    "hub": set(),
    "model": {"hub"},
    "ui": {"model"},
    "app": {"hub", "model", "ui"},
    "training": {"hub", "model"},
    "examples": {"model", "training"},
    "bench": {"hub", "model", "ui", "app", "training"},
    "tests": {"hub", "model", "ui", "app", "training", "examples", "bench"},
}
FILES = [ROOT / "app.py", ROOT / "hub.py", *(f for room in MAY_IMPORT for f in sorted((ROOT / room).rglob("*.py")))]


def module_name(file: Path) -> str:
    parts = file.relative_to(ROOT).with_suffix("").parts
    return ".".join(parts[:-1] if parts[-1] == "__init__" else parts)


MODULES = {module_name(file): file for file in FILES}


def nodes(tree: ast.AST) -> Iterator[ast.AST]:
    """All nodes except those under `if TYPE_CHECKING:`, which never runs."""
    for node in ast.iter_child_nodes(tree):
        if isinstance(node, ast.If) and ast.unparse(node.test) == "TYPE_CHECKING":
            continue
        yield node
        yield from nodes(node)


def imported(name: str) -> Iterator[str]:
    """Our own modules that a module imports, at its top or in a function."""
    file = MODULES[name]
    package = name if file.name == "__init__.py" else name.rpartition(".")[0]
    for node in nodes(ast.parse(file.read_text(encoding="utf-8"))):
        if isinstance(node, ast.Import):
            targets = [alias.name for alias in node.names]
        elif isinstance(node, ast.ImportFrom):
            above = package.split(".")[: len(package.split(".")) - (node.level - 1)] if node.level else []
            source = ".".join([*above, *([node.module] if node.module else [])])
            # `from .data import folder` imports a module; `from .data.folder import Pictures` imports a name.
            targets = [t if (t := f"{source}.{alias.name}") in MODULES else source for alias in node.names]
        else:
            continue
        yield from (target for target in targets if target in MODULES)


GRAPH = {name: set(imported(name)) for name in MODULES}


def room(name: str) -> str:
    return name.partition(".")[0]


def test_the_graph_is_read_rightly():
    """If `imported` found nothing, the tests below would always pass."""
    assert {"hub", "model.files", "model.vae"} <= GRAPH["model.pretrained"]
    assert "training.data.folder" in GRAPH["training.data.stream"]
    assert "training.evaluation.evaluate" in GRAPH["training.evaluate"]
    assert {"model", "ui.worker"} <= GRAPH["app"]


@pytest.mark.parametrize("name", MAY_IMPORT)
def test_imports_run_one_way(name):
    wrong = [
        f"{module} imports {target}"
        for module in MODULES
        if room(module) == name
        for target in GRAPH[module]
        if room(target) != name and room(target) not in MAY_IMPORT[name]
    ]
    assert not wrong


def test_no_test_imports_a_benchmark():
    of_bench = {(m, t) for m in MODULES if room(m) == "tests" for t in GRAPH[m] if room(t) == "bench"}
    assert not {(module, target) for module, target in of_bench if not target.startswith("bench.support")}


def test_the_rooms_without_a_page_know_no_gradio():
    for module, file in MODULES.items():
        if room(module) in ("hub", "model", "training"):
            assert "import gradio" not in file.read_text(encoding="utf-8"), module


def test_files_and_functions_can_be_read_in_one_go():
    scripts = sorted((ROOT / "ui" / "web").glob("*.js"))
    assert not [file for file in [*FILES, *scripts] if len(file.read_text(encoding="utf-8").splitlines()) > 350]
    long = []
    for name, file in MODULES.items():
        for node in nodes(ast.parse(file.read_text(encoding="utf-8"))):
            if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef) and node.end_lineno - node.lineno >= 60:
                long.append(f"{name}.{node.name}")
    assert not long


def test_there_is_no_circle():
    done: set[str] = set()

    def visit(name: str, way: list[str]) -> None:
        assert name not in way, " -> ".join([*way[way.index(name) :], name])
        if name not in done:
            for target in sorted(GRAPH[name]):
                visit(target, [*way, name])
            done.add(name)

    for name in MODULES:
        visit(name, [])

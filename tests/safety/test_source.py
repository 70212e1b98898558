"""The gate is small, pure, of integers, and needs the standard library alone."""

import ast
import subprocess
import sys
from pathlib import Path

import pytest

import safety

FOLDER = Path(safety.__file__).parent
GATE = (
    "case",
    "clamps",
    "day",
    "kernel",
    "legality",
    "quantity",
    "reading",
    "rise",
    "sentences",
    "verdict",
)
RUN_BY_REVIEW = ("clamps", "day", "kernel", "reading", "rise")
BY_COLUMNS = ("columns", "columns_review")
"""The twin of the kernel for cohorts: alone in using NumPy, and not loaded by `import safety`."""
EVERY = sorted(path.stem for path in FOLDER.glob("*.py"))
WORDS_IN_TABLES = {("QUANTITIES", "quantity"), ("SENTENCES", "sentences")}
TYPES = {"Fact", "Kept", "Limit", "Measure"}
WORDS_NOT_USED = {"errors", "constants", "util", "utils", "console", "formatter", "cli", "models"}


def tree_of(module: str) -> ast.Module:
    return ast.parse((FOLDER / f"{module}.py").read_text(encoding="utf-8"))


def imports_of(module: str) -> set[str]:
    names = set()
    for node in ast.walk(tree_of(module)):
        if isinstance(node, ast.Import):
            names |= {alias.name for alias in node.names}
        if isinstance(node, ast.ImportFrom):
            assert node.level == 0
            names.add(str(node.module))
    return names


@pytest.mark.req("SR-23")
def test_the_gate_is_all_that_the_kernel_imports() -> None:
    reached, waiting = set(), ["kernel"]
    while waiting:
        module = waiting.pop()
        reached.add(module)
        ours = {name.removeprefix("safety.") for name in imports_of(module) if "safety." in name}
        waiting += sorted(ours - reached)
    assert reached == {*GATE, "envelope", "montage"}


@pytest.mark.req("SR-23")
def test_all_that_review_runs_but_types_and_the_second_check_has_at_most_400_lines() -> None:
    assert sum(n_lines_of_code(module) for module in RUN_BY_REVIEW) <= 400


def n_lines_of_code(module: str) -> int:
    """Count the lines that are no blank line and no part of a docstring."""
    text = (FOLDER / f"{module}.py").read_text(encoding="utf-8")
    quoted: set[int] = set()
    for node in ast.walk(ast.parse(text)):
        if isinstance(node, ast.Expr) and isinstance(node.value, ast.Constant):
            quoted |= set(range(node.lineno, int(node.end_lineno or 0) + 1))
    lines = enumerate(text.splitlines(), start=1)
    return sum(1 for number, line in lines if line.strip() and number not in quoted)


@pytest.mark.req("SR-23")
@pytest.mark.parametrize("module", EVERY)
def test_only_the_standard_library_and_protocols_are_imported(module: str) -> None:
    tops = {name.partition(".")[0] for name in imports_of(module)}
    numpy = {"numpy"} if module in BY_COLUMNS else set()
    assert tops <= {"protocols", "safety"} | numpy | set(sys.stdlib_module_names)


@pytest.mark.req("SR-23")
@pytest.mark.parametrize("module", GATE)
def test_the_gate_reads_no_clock_no_file_and_no_randomness(module: str) -> None:
    tops = {name.partition(".")[0] for name in imports_of(module)}
    assert tops <= {
        "protocols",
        "safety",
        "collections",
        "dataclasses",
        "enum",
        "operator",
        "typing",
    }
    called = {
        node.func.id
        for node in ast.walk(tree_of(module))
        if isinstance(node, ast.Call) and isinstance(node.func, ast.Name)
    }
    assert not called & {"open", "print", "eval", "exec", "input", "globals", "vars", "setattr"}


@pytest.mark.req("SR-06")
@pytest.mark.parametrize("module", [*GATE, "envelope", *BY_COLUMNS])
def test_arithmetic_is_of_integers(module: str) -> None:
    for node in ast.walk(tree_of(module)):
        assert not isinstance(node, ast.Div), f"{module} divides"
        if isinstance(node, ast.Constant):
            assert not isinstance(node.value, float | complex), node.value
        if isinstance(node, ast.Call) and isinstance(node.func, ast.Name):
            assert node.func.id not in {"float", "complex", "round", "pow"}


@pytest.mark.req("SR-23")
@pytest.mark.parametrize("module", GATE)
def test_there_is_no_state_in_modules(module: str) -> None:
    for node in tree_of(module).body:
        if isinstance(node, ast.Assign):
            names = [target.id for target in node.targets if isinstance(target, ast.Name)]
            assert len(names) == 1
            assert names[0].isupper() or names[0] in TYPES
            made = ast.Constant | ast.Tuple | ast.BinOp | ast.Call | ast.Subscript
            assert isinstance(node.value, made) or (names[0], module) in WORDS_IN_TABLES
        else:
            allowed = (
                ast.AnnAssign
                | ast.Import
                | ast.ImportFrom
                | ast.FunctionDef
                | ast.ClassDef
                | ast.Expr
            )
            assert isinstance(node, allowed), ast.dump(node)
    for node in ast.walk(tree_of(module)):
        assert not isinstance(node, ast.Global | ast.Nonlocal)


@pytest.mark.req("SR-03")
def test_what_is_untrusted_is_read_by_exact_type_alone() -> None:
    for module in ("reading",):
        for node in ast.walk(tree_of(module)):
            assert not (isinstance(node, ast.Name) and node.id in {"isinstance", "issubclass"})


def test_no_module_is_called_like_one_of_another_distribution() -> None:
    assert not WORDS_NOT_USED & set(EVERY)
    assert safety.PART_OF == "neurostim"


@pytest.mark.req("SR-23")
def test_importing_safety_loads_no_third_party_library() -> None:
    heavy = "{'numpy', 'torch', 'pydantic', 'scipy', 'simpy'}"
    code = f"import sys, safety; sys.exit(bool({heavy} & set(sys.modules)))"
    done = subprocess.run([sys.executable, "-c", code], cwd=FOLDER.parent, check=False)
    assert done.returncode == 0

"""Every requirement in scope has a running test, and every hazard a control."""

import ast
import re
import tomllib
from collections.abc import Iterator
from pathlib import Path

import pytest

import safety

TESTS = Path(__file__).parents[1]
HAZARDS = tomllib.loads((Path(safety.__file__).parent / "hazards.toml").read_text(encoding="utf-8"))
REQUIREMENTS = HAZARDS["requirements"]
IN_SCOPE = [f"SR-{n:02d}" for n in (*range(1, 9), 10, 11, 12, 13, 23, 24)]


def marks_of(function: ast.FunctionDef) -> Iterator[tuple[str, str | None]]:
    """Yield the name of each pytest mark of a function, with its first argument if it has one."""
    for decorator in function.decorator_list:
        called = decorator.func if isinstance(decorator, ast.Call) else decorator
        words = ast.unparse(called).split(".")
        if words[:2] == ["pytest", "mark"]:
            arguments = decorator.args if isinstance(decorator, ast.Call) else []
            yield words[2], ast.literal_eval(arguments[0]) if words[2] == "req" else None


def ids_in(path: Path) -> Iterator[tuple[str, bool]]:
    """Yield each requirement that a test shows, and whether it runs in the ordinary suite."""
    for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
        if isinstance(node, ast.FunctionDef):
            marks = list(marks_of(node))
            is_ordinary = not {"slow", "gpu", "bench", "skip"} & {name for name, _ in marks}
            for name, requirement in marks:
                if name == "req":
                    yield str(requirement), is_ordinary


SHOWN = [row for path in sorted(TESTS.rglob("test_*.py")) for row in ids_in(path)]


@pytest.mark.parametrize("requirement", REQUIREMENTS)
def test_a_requirement_in_scope_has_a_running_test(requirement: str) -> None:
    assert (requirement, True) in SHOWN


def test_no_test_names_an_unknown_requirement() -> None:
    assert {requirement for requirement, _ in SHOWN} <= set(REQUIREMENTS)


def test_what_this_package_promises_is_in_scope() -> None:
    assert set(IN_SCOPE) <= set(REQUIREMENTS)
    assert all(re.fullmatch(r"SR-(0[1-9]|[12]\d|30)", each) for each in REQUIREMENTS)


def test_every_rule_serves_a_requirement_in_scope() -> None:
    assert {rule.requirement for rule in safety.Rule} <= set(REQUIREMENTS)


@pytest.mark.parametrize("hazard", HAZARDS["hazards"], ids=lambda hazard: hazard["name"])
def test_a_hazard_has_a_cause_controls_and_requirements(hazard) -> None:
    assert hazard.keys() == {"name", "cause", "controls", "requirements"}
    assert hazard["cause"]
    assert all(hazard["controls"])
    assert len(hazard["controls"]) >= 1
    assert hazard["requirements"]
    assert set(hazard["requirements"]) <= set(REQUIREMENTS)


def test_every_requirement_controls_a_hazard() -> None:
    controlled = {each for hazard in HAZARDS["hazards"] for each in hazard["requirements"]}
    assert controlled == set(REQUIREMENTS)

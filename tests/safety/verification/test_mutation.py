"""The mutants are mistakes that matter, they are put in place, and the run at size is judged."""

import ast
import subprocess
import sys
from pathlib import Path

import pytest

from safety import quantity
from tests.safety.verification.mutants import BODY, Mutant, mutants_of
from tests.safety.verification.mutation import KILLED, SURVIVED, put_in_place, report
from tests.safety.verification.sizes import ROOT, seconds_for

SOURCE = ROOT / "safety"


def written(text: str, folder: Path) -> list[str]:
    path = folder / "here.py"
    path.write_text(text, encoding="utf-8")
    return [mutant.key.removeprefix("here.") for mutant in mutants_of(path)]


@pytest.mark.req("SR-25")
@pytest.mark.parametrize(
    ("text", "keys"),
    [
        ("LIMIT = 3", ["<module>: `3` → `4`"]),
        ("def f(a, b=1):\n    'One.'\n    return a < b", ["f: `a < b` → `a <= b`"]),
        ("def f(a, b):\n    return a - b", ["f: `a - b` → `a + b`"]),
        (
            "def f(a, b):\n    return a and b",
            ["f: `a and b` → `a or b`", "f: `a and b` → `b`", "f: `a and b` → `a`"],
        ),
        ("class C:\n    n = 1\n    def f(s):\n        s.g()", ["C.f: `s.g()` → `pass`"]),
        ("def f(a):\n    raise E(f'{a + 1}')", ["f: `raise E(f'{a + 1}')` → `pass`"]),
        ("def f(a):\n    return replace(a, b=c)", ["f: `replace(a, b=c)` → `replace(a)`"]),
        ("def f(a):\n    return max(a, a) if a else None", None),
    ],
)  # fmt: skip
def test_each_kind_of_mistake_is_made(text: str, keys, tmp_path: Path) -> None:
    found = written(text, tmp_path)
    if keys is not None:
        assert found == keys
    else:
        assert len(found) == 2  # the other way round, and min


@pytest.mark.req("SR-25")
def test_a_mutant_takes_the_place_of_the_function_everywhere() -> None:
    function = quantity.decimal_text
    original = function.__code__
    mutant = next(
        each
        for each in mutants_of(SOURCE / "quantity.py")
        if each.function == "decimal_text" and "** places" in each.key
    )
    assert function(1500, 3) == "1.5"
    try:
        put_in_place(mutant)
        assert quantity.decimal_text is function
        assert function(1500, 3) != "1.5"
    finally:
        function.__code__ = original


@pytest.mark.req("SR-25")
def test_every_mutant_of_the_safety_layer_compiles_and_has_a_name_of_its_own() -> None:
    mutants = [each for path in sorted(SOURCE.glob("*.py")) for each in mutants_of(path)]
    assert len({each.key for each in mutants}) == len(mutants) > 500
    for mutant in mutants[::40]:
        mutant.code()


def test_the_report_names_survivors_and_why() -> None:
    pass_ = ast.Pass()
    tree = ast.parse("")
    dead, alive = (Mutant("kernel", BODY, 1, key, tree, pass_, pass_) for key in ("a", "b"))
    page = report({dead: KILLED, alive: SURVIVED}, {"b": "because"})
    assert "| kernel | 2 | 1 |" in page
    assert "- b (survived): because" in page
    assert "not reviewed" in report({alive: SURVIVED}, {})


@pytest.mark.slow
@pytest.mark.req("SR-25")
def test_no_mutant_survives_without_a_reason() -> None:
    command = [sys.executable, "-m", "tests.safety.verification.mutation"]
    seconds = seconds_for("mutants", 1)
    if seconds is not None:
        command += ["--minutes", str(seconds / 60)]
    done = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stdout + done.stderr

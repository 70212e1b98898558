"""The house stands as drawn: who may import whom, what loads what, one way to a patient."""

import ast
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[1]
PACKAGES = ("protocols", "safety", "patient_models", "neurostim")


def modules_after(code: str) -> set[str]:
    """Top-level modules that are loaded after running some code in a fresh interpreter."""
    report = "import sys; print(*{name.partition('.')[0] for name in sys.modules})"
    done = subprocess.run(
        [sys.executable, "-c", f"{code}\n{report}"], capture_output=True, text=True, check=True
    )
    return set(done.stdout.splitlines()[-1].split())


@pytest.mark.parametrize(
    ("code", "absent"),
    [
        ("import protocols", {"numpy", "torch", "pydantic", "simpy", "pandas"}),
        ("import safety", {"numpy", "torch", "pydantic", "simpy", "pandas", "patient_models"}),
        ("import patient_models", {"torch", "pandas", "safety", "statsmodels"}),
        ("import neurostim", {"torch", "pandas", "pyarrow", "matplotlib", "PySide6"}),
        ("import neurostim.command_line", {"torch", "pandas", "pyarrow", "PySide6", "numpy"}),
    ],
)
def test_importing_a_package_does_not_load_what_it_does_not_need(
    code: str, absent: set[str]
) -> None:
    assert not modules_after(code) & absent


def test_help_needs_neither_torch_nor_qt() -> None:
    code = (
        "import sys; sys.argv = ['neurostim', '--help']\n"
        "from neurostim.command_line import main\n"
        "try:\n    main()\nexcept SystemExit as end:\n    assert not end.code"
    )
    assert not modules_after(code) & {"torch", "PySide6", "pandas", "numpy"}


def test_a_foreign_safety_package_is_noticed_and_not_run(tmp_path: Path) -> None:
    (tmp_path / "safety").mkdir()
    (tmp_path / "safety" / "__init__.py").write_text("print('foreign code ran')\n")
    code = f"import sys; sys.path.insert(0, {str(tmp_path)!r}); import neurostim"
    done = subprocess.run(
        [sys.executable, "-c", code],
        capture_output=True, text=True, cwd=ROOT, check=False,
    )  # fmt: skip
    assert done.returncode != 0
    assert "'safety'" in done.stderr
    assert "does not belong to neurostim" in done.stderr
    assert "foreign code ran" not in done.stdout


@pytest.mark.req("SR-23")
def test_only_the_loop_advances_patients_and_only_with_what_the_gate_delivered() -> None:
    callers = []
    # The conformance suite advances virtual patients of its own, and no trial imports it.
    paths = set((ROOT / "neurostim").rglob("*.py")) - {ROOT / "neurostim" / "testing.py"}
    for path in paths:
        for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
            if isinstance(node, ast.Call) and getattr(node.func, "attr", None) == "advance":
                callers.append((path.relative_to(ROOT).as_posix(), ast.unparse(node.args[1])))
    assert sorted(callers) == [
        ("neurostim/loop.py", "[OFF] * len(states)"),  # screening delivers nothing
        ("neurostim/loop.py", "through.verdicts.settings()"),
    ]


def test_the_public_surface_is_what_the_readme_promises() -> None:
    import neurostim

    assert neurostim.__all__ == ["InputError", "Optimizer", "Result", "load", "run_trial"]
    for name in neurostim.__all__:
        assert getattr(neurostim, name) is not None
    with pytest.raises(AttributeError, match="no attribute 'nothing'"):
        neurostim.nothing  # noqa: B018


def test_nothing_names_a_machine_or_a_secret_door() -> None:
    for package in PACKAGES:
        for path in (ROOT / package).rglob("*.py"):
            text = path.read_text(encoding="utf-8")
            for word in ("pickle", "np.random.seed", "manual_seed", "/tmp/", "/home/", "/root/"):
                assert word not in text, f"{path}: {word}"


def test_the_readme_code_runs_as_it_stands(tmp_path: Path) -> None:
    readme = (ROOT / "README.md").read_text(encoding="utf-8")
    code = readme.partition("```python\n")[2].partition("```")[0]
    assert len(code.strip().splitlines()) == 12
    subprocess.run([sys.executable, "-c", code], cwd=tmp_path, check=True)
    assert (tmp_path / "report.html").stat().st_size > 50_000

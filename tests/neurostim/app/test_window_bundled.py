"""What the bundled program starts."""

import sys

import pytest

from neurostim import bundled


def test_it_is_python_to_the_processes_that_it_starts(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr(sys, "argv", ["neurostim"])
    bundled.start(["-I", "-B", "-c", "import sys; print(sys.argv)", "12", "[]"])
    assert capsys.readouterr().out == "['-c', '12', '[]']\n"


@pytest.mark.parametrize(
    ("arguments", "expected"), [([], ["app"]), (["list", "devices"], ["list", "devices"])]
)
def test_without_arguments_it_opens_the_app(
    monkeypatch: pytest.MonkeyPatch, arguments: list[str], expected: list[str]
) -> None:
    seen = []
    monkeypatch.setattr(sys, "argv", ["neurostim", *arguments])
    monkeypatch.setattr(bundled, "main", lambda: seen.append(sys.argv[1:]))
    bundled.start(arguments)
    assert seen == [expected]

import io
import json

import pytest
from rich.console import Console
from validation.poisson_cohorts import SMALL, PoissonCohorts

from neurostim.validation import command, samples


def test_a_run_prints_and_writes_what_was_asked_for(tmp_path, monkeypatch) -> None:
    monkeypatch.setattr(samples, "QUICK", SMALL)
    file = io.StringIO()
    passed = command.run(
        PoissonCohorts(),
        subject="Poisson patients",
        is_quick=True,
        seed=1,
        only=["D1", "D4"],
        json_path=tmp_path / "rows.json",
        page_path=tmp_path / "page.html",
        facts={"Law": "none"},
        console=Console(file=file, width=140),
    )
    assert passed is False
    assert "3 of 4 judged figures" in file.getvalue()
    assert len(json.loads((tmp_path / "rows.json").read_text(encoding="utf-8"))) == 4
    page = (tmp_path / "page.html").read_text(encoding="utf-8")
    for word in ("Validation of Poisson patients", "<dt>Law</dt>", "<dd>quick</dd>", "Rates (D1)"):
        assert word in page


def test_an_unknown_row_is_refused_before_anything_is_simulated(tmp_path) -> None:
    with pytest.raises(ValueError, match="rows = D99"):
        command.run(None, subject="x", is_quick=True, seed=1, only=["D99"])

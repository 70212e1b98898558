import io
import json

import numpy as np
import pytest
from rich.console import Console
from validation.poisson_cohorts import SMALL, PoissonCohorts

from neurostim.validation.evaluation import MEASURES
from neurostim.validation.groups import GROUPS
from neurostim.validation.printing import band, ours, print_table, rows_as_json, write_json
from neurostim.validation.samples import Samples
from neurostim.validation.table import Row, has_passed, measured_rows, validate, verdict
from neurostim.validation.targets import TARGETS

BY_ID = {target.id: target for target in TARGETS}
KEYS = {
    "id",
    "what",
    "value",
    "error",
    "band",
    "passed",
    "reference",
    "published",
    "note",
    "source",
    "is_judged",
}


def small(cohorts=None, seed=1):
    samples = Samples(cohorts or PoissonCohorts(), is_quick=True, seed=seed)
    samples.sizes = SMALL
    return samples


class WithoutTrials(PoissonCohorts):
    def trial(self, name, *, n_replicates, seed, years=0):
        raise RuntimeError("no such device")


def test_every_target_is_measured_once_and_belongs_to_a_group() -> None:
    assert sorted(id for ids in MEASURES for id in ids) == sorted(BY_ID)
    assert len(BY_ID) == len(TARGETS)
    assert {target.group for target in TARGETS} == set(GROUPS)


def test_the_published_figure_lies_in_its_own_band() -> None:
    for target in TARGETS:
        assert target.band[0] < target.band[1]
        if target.published_value is not None:
            assert target.contains(target.published_value), target.id
        if target.reference and target.reference.startswith("fails: 8"):
            assert not target.contains(target.reference_value)


@pytest.fixture(scope="module")
def rows():
    return measured_rows(small())


def test_a_poisson_community_fails_where_it_must_and_only_there(rows) -> None:
    by_id = {row.target.id: row for row in rows}
    assert [row.target for row in rows] == list(TARGETS)
    for id in ("D2a", "D3a", "D3b", "D4", "D5", "D6a"):
        assert not by_id[id].passed, id
    for id in ("D1a", "D1c", "D2e", "D12b"):
        assert by_id[id].passed, id
    assert by_id["D10b"].value == pytest.approx(-40, abs=4 * by_id["D10b"].error)
    assert not has_passed(rows)
    assert all(np.isfinite(row.value) and np.isfinite(row.error) for row in rows)


def test_the_same_seed_gives_the_same_rows_and_another_seed_others() -> None:
    only = {"D1", "D7", "D9a"}
    first, again = (measured_rows(small(), only=only) for _ in range(2))
    other = measured_rows(small(seed=2), only=only)
    assert first == again
    assert first != other


def test_only_the_rows_asked_for_are_measured_and_unknown_names_are_refused() -> None:
    said = []
    rows = measured_rows(small(WithoutTrials()), only=["D4", "D1b"], progress=said.append)
    assert [row.target.id for row in rows] == ["D1b", "D4"]
    assert said == [GROUPS["D1"].title, GROUPS["D4"].title]
    with pytest.raises(ValueError, match="D13"):
        validate(PoissonCohorts(), is_quick=True, seed=1, only=["D13"])


def test_a_row_that_cannot_be_measured_fails_with_its_reason_and_alone() -> None:
    rows = measured_rows(small(WithoutTrials()), only=["D1", "D10"])
    assert [row.passed for row in rows] == [True, True, True, False, False, False, False]
    assert "RuntimeError: no such device" in rows[-1].note
    assert verdict(rows) == (
        "3 of 7 judged figures lie inside their published bands; D10a, D10b, D10c, D10d fail."
    )
    text = printed(rows)
    assert "D10b fails: could not be measured: RuntimeError: no such device" in text
    assert "not measured" in text


def printed(rows):
    file = io.StringIO()
    print_table(rows, Console(file=file, width=140))
    return file.getvalue()


def test_the_printed_table_shows_ours_beside_what_was_published(rows) -> None:
    text = printed(rows)
    for word in ("D10b", "−40.4", "−48 to −33", "fails: 80", "reported", "at least 90", "±"):
        assert word in text
    assert verdict(rows) in text


def test_json_has_exactly_these_keys_and_null_for_what_is_no_number(rows, tmp_path) -> None:
    bad = Row(target=BY_ID["D2b"], value=float("nan"), error=float("nan"), note="why")
    path = write_json(tmp_path / "rows.json", [*rows, bad])
    read = json.loads(path.read_text(encoding="utf-8"))
    assert read == rows_as_json([*rows, bad])
    assert all(set(row) == KEYS for row in read)
    assert read[-1]["value"] is None
    assert read[-1]["band"] == [0.83, None]
    assert read[-1]["passed"] is False
    assert read[0]["band"] == [2.2, 3.3]
    assert {type(row["value"]) for row in read[:-1]} == {float}


@pytest.mark.parametrize(
    ("id", "value", "error", "is_close"),
    [
        ("D5", 78.0, 1.0, False),
        ("D5", 76.0, 1.0, True),
        ("D5", 74.0, 1.0, True),
        ("D7c", 2.0, 0.0, True),
        ("D7c", 3.0, 0.0, False),
        ("D12b", 100.0, 0.0, False),
        ("D5", float("nan"), float("nan"), False),
    ],
)
def test_a_figure_near_an_edge_says_so(id, value, error, is_close) -> None:
    assert Row(target=BY_ID[id], value=value, error=error).is_close is is_close


def test_figures_and_bands_are_printed_with_true_minus_and_enough_digits() -> None:
    assert ours(Row(target=BY_ID["D10b"], value=-42.13, error=1.06)) == "−42.1 ± 1.1"
    assert ours(Row(target=BY_ID["D2a"], value=0.6341, error=0.0003)) == "0.634 ± 0.0003"
    assert band(BY_ID["D7d"]) == "at most 5"
    assert band(BY_ID["D12a"]) == "none"

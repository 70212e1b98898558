"""The figures of the search: against chance, and over how many settings are good for a patient."""

import re

import numpy as np
import pytest

from neurostim.report import render
from neurostim.report.evidence import evidence_of
from neurostim.report.search import correlations, found_chances, gaps_closed, landscape, search
from neurostim.search_chances import chances
from tests.neurostim.fabricated_trial import fabricate

GOOD = 0.05


@pytest.fixture(scope="module")
def trial():
    made = fabricate(n_patients=30)
    n = len(made.patients)
    patients = made.patients.assign(
        true_good_share=np.where(np.arange(n) % 10 == 0, 0.0, GOOD * (1 + np.arange(n) % 5)),
        true_kind=np.where(np.arange(n) % 3 == 0, "ridge", "bowl"),
        true_is_at_edge=np.arange(n) % 4 == 0,
    )
    return made._replace(patients=patients)


@pytest.fixture(scope="module")
def evidence(trial):
    return evidence_of(*trial)


def test_each_arm_is_drawn_against_the_chance_of_its_patients(trial, evidence):
    found = found_chances(evidence)
    assert list(found) == list(evidence.arms)
    treatment = trial.epochs[trial.epochs["phase"] == "treatment"]
    expected = chances(treatment, trial.patients, len(found["sham"].tried))
    for arm, each in found.items():
        assert (each.tried == expected[arm].tried).all()
        assert each.n_patients == (trial.patients["true_good_share"] > 0).sum()
    drawing = search(evidence)
    assert drawing is not None
    for arm in evidence.arms:
        assert f"{arm} {100 * found[arm].tried[-1]:.0f} %" in drawing.svg
    assert "27 patients with a setting to find" in drawing.caption


def test_the_sentence_names_who_is_behind_chance(evidence):
    drawing = search(evidence)
    assert drawing is not None
    assert found_chances(evidence)["sham"].tried[-1] == 0
    behind = re.search(r"([\w, ]+) w(?:as|ere) behind it halfway", drawing.caption)
    assert behind is not None
    assert "sham" in behind.group(1)


def test_the_landscape_counts_kinds_and_edges(trial, evidence):
    drawing = landscape(evidence)
    assert drawing is not None
    hopeful = trial.patients[trial.patients["true_good_share"] > 0]
    for kind, n in hopeful["true_kind"].value_counts().items():
        assert f"a {kind} in {n}" in drawing.caption
    assert f"at an end of the list in {hopeful['true_is_at_edge'].sum()}" in drawing.caption


def test_correlations_find_the_order_that_was_put_in(trial, evidence):
    share = trial.patients.set_index("patient")["true_good_share"]
    noise = np.random.default_rng(0).normal(0, 0.01, len(share))
    gaps = dict.fromkeys(evidence.arms, share + noise)
    for words in correlations(evidence, share, gaps):
        assert float(words.split()[1]) > 0.9
    backwards = dict.fromkeys(evidence.arms, -share)
    assert all(" −" in words for words in correlations(evidence, share, backwards))


def test_gaps_are_those_of_the_outcomes(evidence):
    rows = evidence.of("gp").set_index("patient")
    known = rows["gap"] > 0
    expected = (rows["gap_closed_final"] / rows["gap"])[known].astype(float)
    assert np.allclose(gaps_closed(evidence)["gp"][known], expected)


def test_a_run_without_the_columns_has_neither_figure(trial):
    without = trial._replace(patients=trial.patients.drop(columns=["true_good_share"]))
    plain = evidence_of(*without)
    assert search(plain) is None
    assert landscape(plain) is None
    assert 'id="search' not in render(*without)

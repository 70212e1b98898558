import copy
import html
import json
import re
import shutil
import subprocess
import sys
from dataclasses import replace
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from scipy import stats

from neurostim.report import render, supplements_in, write_pdf
from neurostim.report.answer import size
from neurostim.report.charge_density import phase_of, weighted
from neurostim.report.credibility import ademp, band, stress, validation_verdict
from neurostim.report.evidence import Evidence, evidence_of
from neurostim.report.harm import made_worse, worst
from neurostim.report.operating import REACH, operating_table, reach
from neurostim.report.page import CONTENTS
from neurostim.report.pdf import laid_out, printable
from neurostim.report.sensitivity import (
    READINGS,
    reseeded,
    sensitivity,
    true_counts,
    without_dropouts,
    worst_missing,
)
from neurostim.report.subgroups import effects, subgroups
from neurostim.report.supplements import Supplements
from neurostim.report.time_to_count import curve, last_shown
from protocols import InputError
from safety import load_envelope
from tests.neurostim.fabricated_trial import ARMS, Trial, fabricate
from tests.neurostim.test_report import HOSTILE, Page

ESTIMAND = {
    "population": f"Whoever {HOSTILE} is recruited",
    "treatment": "gp against sham",
    "variable": "seizures",
    "intercurrent_events": "drop-out: as recorded",
    "summary": "a rate ratio",
}
OPERATING = {
    "level": 0.05,
    "seed": 3,
    "designs": {HOSTILE: {"fingerprint": "abc"}},
    "command": "neurostim power demo",
    "rows": [
        {"n": 50, "arm": HOSTILE, "test": "rate_ratio", "share": 0.8123, "error": 0.0125},
        {"n": 100, "arm": "gp", "test": "rate_ratio", "share": None, "error": 0.01},
    ],
}
VALIDATION = [
    {
        "id": "D1a",
        "what": "Median rate",
        "value": 2.5,
        "error": 0.1,
        "band": [2.2, None],
        "passed": True,
        "published": HOSTILE,
        "source": "Somebody 2018",
        "is_judged": True,
    },
    {
        "id": "D2a",
        "what": "Slope",
        "value": 0.9,
        "error": 0.01,
        "band": [0.62, 0.8],
        "passed": False,
        "published": "0.7",
        "source": "Somebody 2018",
        "is_judged": True,
    },
]


@pytest.fixture(scope="module")
def trial() -> Trial:
    return fabricate(14, arms=[ARMS[0], ARMS[2], ARMS[4]])


@pytest.fixture(scope="module")
def evidence(trial: Trial) -> Evidence:
    return evidence_of(*trial)


@pytest.fixture(scope="module")
def full(trial: Trial) -> str:
    manifest = copy.deepcopy(trial.manifest)
    manifest["design"]["estimand"] = ESTIMAND
    manifest["deviations"] = ["population.n_patients: 60 in the design, 14 in this run"]
    supplements = Supplements(operating=OPERATING, validation=VALIDATION, validated="yesterday")
    return render(trial.epochs, trial.patients, manifest, supplements=supplements)


def test_thirteen_parts_follow_each_other_and_the_contents_lead_to_them(full: str) -> None:
    heads = re.findall(r'<h2 id="([^"]+)"><span class="part">(\d+)</span>', full)
    assert [int(n) for _, n in heads] == list(range(1, 14))
    assert [name for name, _ in heads] == [name for name, _ in CONTENTS[:13]]
    nav = re.search(r"<nav.*?</nav>", full, flags=re.DOTALL)
    assert nav is not None
    assert re.findall(r'href="#([^"]+)"', nav.group()) == [name for name, _ in CONTENTS]


def test_estimand_deviations_power_and_validation_are_printed_and_escaped(full: str) -> None:
    assert "<script" not in full
    words = Page(full).words
    for text in ESTIMAND.values():
        assert " ".join(text.split()) in words
    assert "60 in the design, 14 in this run" in words
    assert "0.8123" in words
    assert "1 of 2 judged figures are reproduced; D2a is not." in words
    assert "yesterday" in words
    assert words.index("What was to be estimated") < words.index("Flow and baseline")


def test_what_is_absent_is_said_with_its_command(trial: Trial, evidence: Evidence) -> None:
    words = Page(render(*trial)).words
    assert "The design states no estimand." in words
    assert "does not record deviations" in words
    assert "neurostim power" in words
    assert "neurostim validate --quick --json DIR/validation.json" in words
    assert "--set population.model=mechanistic" in words
    manifest = dict(trial.manifest, deviations=[])
    assert (
        "None: the design ran as it was written."
        in Page(render(trial.epochs, trial.patients, manifest)).words
    )


def test_every_table_and_figure_is_announced(full: str) -> None:
    page = Page(full)
    regions = [each for tag, each in page.tags if tag == "div" and each.get("role") == "region"]
    assert len(regions) > 12
    assert all(each.get("aria-label") and each.get("tabindex") == "0" for each in regions)
    heads = [each for tag, each in page.tags if tag == "th"]
    assert all(each.get("scope") in ("col", "row", "colgroup") for each in heads)


def test_a_summary_is_the_first_part_alone(trial: Trial) -> None:
    text = render(*trial, is_summary=True)
    page = Page(text)
    assert re.findall(r'<h2 id="([^"]+)"', text) == ["answer"]
    assert "Who is made worse, and by how much" in page.words
    assert trial.manifest["command"] in page.words
    assert sum(tag == "svg" for tag, _ in page.tags) == 1


def test_who_is_made_worse_is_recounted_from_the_diaries(evidence: Evidence) -> None:
    rows = {row[0]: row for row in made_worse(evidence).rows}
    for arm in evidence.others:
        one = evidence.of(arm).set_index("patient")["percent_change"]
        other = evidence.of("sham").set_index("patient")["percent_change"]
        difference = (one - other).dropna()
        n_worse = int((difference >= 25).sum())
        assert rows[arm][1].startswith(f"{100 * n_worse / len(difference):.1f} %")
        if n_worse:
            middle = float(difference[difference >= 25].median())
            assert rows[arm][2] == f"{middle:.0f} points"


def test_the_ten_worst_are_those_whom_the_truth_serves_worst(evidence: Evidence) -> None:
    found = worst(evidence)
    assert len(found) == 10
    frame = evidence.outcomes[evidence.outcomes["arm"] != "sham"]
    change = 100 * (frame["true_rate_final_per_day"] / frame["true_rate_off_per_day"] - 1)
    expected = np.sort(change.to_numpy())[::-1][:10]
    np.testing.assert_allclose(found["change"].to_numpy(dtype=float), expected, atol=1e-6)
    off = replace(evidence, epochs=evidence.epochs.assign(delivered_amplitude_ua=0))
    assert not len(worst(off))


def test_subgroups_part_the_patients_and_their_effects_are_medians(evidence: Evidence) -> None:
    groups = subgroups(evidence)
    factors = {group.factor for group in groups}
    assert {"Baseline rate", "Best site", "Largest possible reduction"} <= factors
    everybody = set(evidence.outcomes["patient"])
    for factor in factors - {"Best site", "Best frequency"}:
        parts = [group.patients for group in groups if group.factor == factor]
        assert sum(map(len, parts)) == len(set().union(*parts))
        assert set().union(*parts) == everybody
    assert not [group for group in groups if group.factor.startswith("Base") and group.is_truth]
    wide = evidence.outcomes.pivot(index="patient", columns="arm", values="percent_change")
    difference = wide["gp"] - wide["sham"]
    for group, estimate in effects(evidence, "gp"):
        who = list(everybody if group is None else group.patients)
        assert estimate.estimate == pytest.approx(float(difference.loc[who].median()))


def test_different_people_are_compared_as_such(evidence: Evidence) -> None:
    rows = evidence.outcomes
    apart = rows.assign(patient=rows["patient"] + 100 * (rows["arm"] == "gp"))
    other = replace(evidence, outcomes=apart)
    assert evidence.is_paired
    assert not replace(other, arms=("sham", "gp")).is_paired
    assert size(evidence).startswith("14 simulated patients in each of 3 arms: ")
    alone = replace(other, outcomes=apart[apart["arm"] != "titration"], arms=("sham", "gp"))
    assert size(alone).startswith("28 simulated patients in 2 arms, each in one of them: ")
    _, all_patients = next(effects(replace(other, arms=("sham", "gp")), "gp"))
    shifts = np.subtract.outer(
        rows[rows["arm"] == "gp"]["percent_change"].dropna().to_numpy(),
        rows[rows["arm"] == "sham"]["percent_change"].dropna().to_numpy(),
    )
    assert all_patients.estimate == pytest.approx(float(np.median(shifts)))


def test_the_curve_of_waiting_times_is_the_product_limit(evidence: Evidence) -> None:
    rows = evidence.of("gp").dropna(subset=["count_days"])
    days, share = curve(evidence, "gp")
    times = rows["count_days"].to_numpy(dtype=float)
    is_event = rows["is_count_reached"].to_numpy(dtype=bool)
    left = 1.0
    for day in np.unique(times):
        left *= 1 - (is_event & (times == day)).sum() / (times >= day).sum()
        assert share[np.searchsorted(days, day, side="right") - 1] == pytest.approx(left)
    long = (np.array([0.0, 10, 300]), np.array([1.0, 0.04, 0.0]))
    assert last_shown([long]) == (pytest.approx(11.0), True)
    assert last_shown([]) == (1.0, False)


def test_charge_density_is_charge_over_the_area_of_the_most_loaded_contact() -> None:
    envelope = load_envelope("research")
    rows = pd.DataFrame(
        {
            "delivered_amplitude_ua": [4000, 0],
            "delivered_pulse_width_us": [90, 0],
            "delivered_site": [0, 0],
        }
    )
    phase = phase_of(rows, envelope)
    shares, contacts = envelope.montages[0].shares_permille, envelope.contacts
    expected = max(
        0.36 * share / 1000 / (contact.area_um2 / 1e8)
        for share, contact in zip(shares, contacts, strict=True)
    )
    assert phase.values[0] == pytest.approx(expected)
    assert phase.limit == envelope.max_density_hundredths / 100
    assert expected <= phase.limit
    bare = phase_of(rows, None)
    assert (bare.values[0], bare.unit) == (pytest.approx(0.36), "µC")
    values, heights = weighted(np.array([2.0, 1, 2]), np.array([1.0, 2, 1]))
    assert (values.tolist(), heights.tolist()) == ([1, 2], [0.5, 1.0])


def test_readings_change_what_they_name_and_nothing_else(evidence: Evidence) -> None:
    by_name = {reading.name: reading.outcomes(evidence) for reading in READINGS}
    assert by_name["As planned"].equals(evidence.outcomes)
    truth = true_counts(evidence)
    rows = evidence.treatment[evidence.treatment["start_day"] >= evidence.evaluation_start]
    sums = rows.groupby(["arm", "patient"])[["true_n_seizures", "days"]].sum()
    rates = 28 * sums["true_n_seizures"] / sums["days"]
    found = truth.set_index(["arm", "patient"])["evaluation_rate_28"]
    np.testing.assert_allclose(found.to_numpy(), rates.loc[found.index].to_numpy())
    filled, rows = worst_missing(evidence), evidence.outcomes
    is_sham = rows["arm"] == "sham"
    assert filled[is_sham]["n_evaluation"].equals(rows[is_sham]["n_evaluation"].astype(float))
    assert (filled[~is_sham]["days_evaluation"] == rows[~is_sham]["calendar_days_evaluation"]).all()
    table = sensitivity(evidence)
    assert table is not None
    assert len(table.rows) == (len(READINGS) + 1) * len(evidence.others)
    planned = evidence.estimate("rate_ratio", "gp")
    assert planned is not None
    row = next(row for row in table.rows if row[1] == "gp")
    assert row[3].startswith(f"{planned['estimate']:.2f} (")


def test_who_stops_writing_is_a_drop_out(evidence: Evidence) -> None:
    rows = evidence.epochs
    is_late = (rows["patient"] == 3) & (rows["start_day"] > 120) & (rows["arm"] == "gp")
    silent = rows.assign(days_recorded=rows["days_recorded"].mask(is_late, 0))
    kept = without_dropouts(replace(evidence, epochs=silent))
    assert set(evidence.outcomes["patient"]) - set(kept["patient"]) == {3}
    assert reseeded("neurostim run demo --seed 4") == "neurostim run demo --seed 5"
    assert reseeded("neurostim run demo") == "neurostim run demo --seed 1"


def test_what_a_size_could_find_follows_from_its_error(evidence: Evidence) -> None:
    table = reach(evidence)
    assert table is not None
    assert pytest.approx(stats.norm.ppf(0.975) + stats.norm.ppf(0.8)) == REACH
    row = evidence.estimate("rate_ratio", "gp")
    assert row is not None
    low, high = np.log([row["low"], row["high"]])
    error = (high - low) / (2 * stats.norm.ppf(0.975))
    cells = next(each for each in table.rows if each[0] == "gp")
    expected = [f"{np.exp(side * REACH * error):.2f}" for side in (-1, 1)]
    assert cells[3] == " to ".join(expected)


def test_operating_characteristics_keep_their_columns() -> None:
    table = operating_table(OPERATING)
    assert list(table.heads) == ["n", "arm", "test", "share", "error"]
    assert list(table.rows[1]) == ["100", "gp", "rate_ratio", "–", "0.01"]
    assert table.words == {1, 2}


def test_checklists_are_filled_from_the_manifest(evidence: Evidence) -> None:
    text = {row[0]: row[1] for row in stress(evidence).rows}
    assert text["1.1 Purpose"] == evidence.design["question"]
    assert "seed 7" in text["5.2 Random numbers"]
    assert "168 days" in text["4.2 Run length"]
    manifest = copy.deepcopy(dict(evidence.manifest))
    del manifest["machine"], manifest["versions"]
    bare = {row[0]: row[1] for row in stress(replace(evidence, manifest=manifest)).rows}
    assert bare["5.4 System"] == bare["5.1 Software"] == "not recorded"
    assert [row[0] for row in ademp(evidence).rows] == [
        "Aims", "Data-generating mechanisms", "Estimands", "Methods", "Performance measures",
    ]  # fmt: skip
    assert [band([None, 2]), band([1.5, None]), band([None, None])] == [
        "at most 2", "at least 1.5", "none",
    ]  # fmt: skip
    assert validation_verdict(VALIDATION[:1]) == "1 of 1 judged figures are reproduced."


def test_supplements_are_read_from_the_folder_or_refused(tmp_path: Path) -> None:
    assert supplements_in(tmp_path) == Supplements()
    (tmp_path / "operating.json").write_text(json.dumps(OPERATING))
    (tmp_path / "validation.json").write_text(json.dumps(VALIDATION))
    found = supplements_in(tmp_path)
    assert (found.operating, found.validation) == (OPERATING, VALIDATION)
    bad = tmp_path / "bad.json"
    for content in ("[1]", "{}", "{", '[{"id": 1}]', "[]"):
        bad.write_text(content)
        with pytest.raises(InputError, match=r"bad\.json"):
            supplements_in(tmp_path, operating=bad)
        with pytest.raises(InputError, match=r"bad\.json"):
            supplements_in(tmp_path, validation=bad)
    with pytest.raises(InputError, match="absent"):
        supplements_in(tmp_path, validation=tmp_path / "absent.json")


def test_a_summary_of_five_arms_becomes_one_page_of_pdf(tmp_path: Path) -> None:
    page = render(*fabricate(12), is_summary=True)
    assert "var(--" not in "".join(re.findall(r"<svg.*?</svg>", printable(page), re.DOTALL))
    assert len(laid_out(page).pages) == 1
    path = write_pdf(tmp_path / "summary.pdf", page)
    assert path.read_bytes().startswith(b"%PDF-")


def test_a_pdf_without_its_library_says_what_to_install(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "weasyprint", None)
    with pytest.raises(InputError, match=r"pip install neurostim\[pdf\]"):
        laid_out("")


CHROMIUM = shutil.which("chromium") or shutil.which("chromium-browser")
FRAME = """<iframe width="{width}" height="2000" style="border: 0" srcdoc="{page}"></iframe>
<script>onload = () => {{ document.title =
"width " + document.querySelector("iframe").contentDocument.documentElement.scrollWidth }}</script>
"""
"""A browser's window has a least width that is wider than a telephone; a frame has none."""


@pytest.mark.slow
@pytest.mark.parametrize("width", [420, 1200])
def test_nothing_overflows_in_a_browser(full: str, width: int, tmp_path: Path) -> None:
    if CHROMIUM is None:
        pytest.skip("no chromium here: the widths of the page were not measured")
    path = tmp_path / "frame.html"
    path.write_text(FRAME.format(width=width, page=html.escape(full)), encoding="utf-8")
    command = [
        CHROMIUM, "--headless", "--no-sandbox", "--disable-gpu", "--hide-scrollbars",
        f"--user-data-dir={tmp_path / 'profile'}", "--window-size=1300,2100", "--dump-dom",
        path.as_uri(),
    ]  # fmt: skip
    found = subprocess.run(command, capture_output=True, text=True, check=True, timeout=240)
    title = re.search(r"<title>width (\d+)</title>", found.stdout)
    assert title is not None
    assert int(title.group(1)) == width

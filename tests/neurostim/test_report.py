import copy
import re
import subprocess
import sys
from collections import Counter
from dataclasses import replace
from html.parser import HTMLParser
from pathlib import Path

import pandas as pd
import pytest

from neurostim.report import key_figure, render, write_report
from neurostim.report.answer import percent_from_ratio, plain_answer, rule_counts, safety_line
from neurostim.report.endpoint_table import endpoint_cell, endpoint_rows, main_method
from neurostim.report.evidence import Evidence, evidence_of
from neurostim.report.tables import arms, faults
from neurostim.report.words import duration, number, option_words, p_value
from neurostim.requests import Requests
from tests.neurostim.fabricated_trial import ARMS, Trial, fabricate
from tests.neurostim.test_endpoints import DEGENERATE

HOSTILE = "<script>alert(1)</script>"
VOID = {"meta", "br", "hr", "img", "input", "link", "wbr"}


class Page(HTMLParser):
    """Every tag with its attributes, every id, and whether tags are closed in order."""

    def __init__(self, text: str) -> None:
        super().__init__()
        self.tags: list[tuple[str, dict[str, str | None]]] = []
        self.open: list[str] = []
        self.text: list[str] = []
        self.feed(text)
        self.close()
        assert not self.open

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.tags.append((tag, dict(attrs)))
        if tag not in VOID:
            self.open.append(tag)

    def handle_startendtag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.tags.append((tag, dict(attrs)))

    def handle_endtag(self, tag: str) -> None:
        assert self.open, f"</{tag}> closes nothing"
        assert self.open.pop() == tag

    def handle_data(self, data: str) -> None:
        if "style" not in self.open:
            self.text.append(data)

    @property
    def words(self) -> str:
        return " ".join(" ".join(self.text).split())


@pytest.fixture(scope="module")
def trial() -> Trial:
    return fabricate(16)


@pytest.fixture(scope="module")
def text(trial: Trial) -> str:
    return render(*trial)


@pytest.fixture(scope="module")
def page(text: str) -> Page:
    return Page(text)


def with_arms_called(trial: Trial, names: list[str]) -> Trial:
    manifest = copy.deepcopy(trial.manifest)
    arms = manifest["design"]["arms"]
    new = {arm["name"]: name for arm, name in zip(arms, names, strict=True)}
    for arm in arms:
        arm["name"] = new[arm["name"]]
    manifest["design"]["analysis"]["reference"] = names[0]
    return Trial(trial.epochs.assign(arm=trial.epochs["arm"].map(new)), trial.patients, manifest)


def test_ids_are_unique_and_every_reference_has_its_target(text: str, page: Page) -> None:
    ids = Counter(attributes["id"] for _, attributes in page.tags if "id" in attributes)
    assert not [name for name, n in ids.items() if n > 1]
    targets = set(re.findall(r'href="#([^"]+)"', text)) | set(re.findall(r"url\(#([^)]+)\)", text))
    labels = {
        attributes["aria-labelledby"]
        for _, attributes in page.tags
        if "aria-labelledby" in attributes
    }
    assert targets | labels <= set(ids)


def test_nothing_is_fetched(text: str, page: Page) -> None:
    for tag, attributes in page.tags:
        assert tag not in ("script", "link", "iframe", "object", "embed", "img")
        for name in ("src", "href", "xlink:href", "srcset", "data"):
            assert (attributes.get(name) or "#").startswith(("#", "data:text/csv"))
    assert "http://" not in text
    assert "https://" not in text
    assert "@import" not in text
    assert not re.search(r"url\((?!#)", text)


def test_every_figure_has_a_role_and_words_with_numbers(page: Page) -> None:
    figures = [attributes for tag, attributes in page.tags if tag == "svg"]
    assert len(figures) == 12
    for attributes in figures:
        assert attributes["role"] == "img"
        assert re.search(r"\d", attributes["aria-label"] or "")
        assert "not estimated" not in (attributes["aria-label"] or "")


def test_the_banner_and_the_safety_line_head_the_page(page: Page) -> None:
    words = page.words
    assert words.index("Every patient here is simulated.") < words.index("Device-side check")
    assert "not a medical device" in words
    assert "Device-side check incidents: 0." in words
    assert words.index("Device-side check") < words.index("Answer")


@pytest.fixture(scope="module")
def evidence(trial: Trial) -> Evidence:
    return evidence_of(*trial)


@pytest.fixture(scope="module")
def large() -> Trial:
    return fabricate(60)


def asking(evidence: Evidence, question: str) -> Evidence:
    manifest = copy.deepcopy(dict(evidence.manifest))
    manifest["design"]["question"] = question
    return replace(evidence, manifest=manifest)


def test_the_answer_names_what_is_better_and_what_was_not_shown(large: Trial) -> None:
    answer = plain_answer(evidence_of(*large))
    assert answer.lead.startswith(
        "Against sham, a parallel trial of this size would show fewer seizures with gp and would "
        "not show a difference with fixed"
    )
    assert "is not the same as there being none" in answer.lead
    assert list(answer.points) == ["fixed", "titration", "random", "gp", "sham"]
    assert re.fullmatch(
        r"\d+ % fewer seizures than sham \(unpaired rate ratio 0\.\d\d, 0\.\d\d to 0\.\d\d, "
        r"adjusted p . 0\.\d+\); paired, percent change −\d+ points \(−\d+ to −\d+, adjusted p . "
        r"0\.\d+\); closed \d+ % \(\d+ to \d+\) of the gap; made 0 of 60 patients worse\.",
        answer.points["gp"],
    )
    assert answer.points["fixed"].startswith("no difference from sham shown (unpaired rate ratio ")
    assert re.search(r"made \d+ of 60 patients worse \(", answer.points["titration"])
    assert answer.points["sham"].startswith("the reference; median change from its own baseline ")
    assert "Arms were compared with sham only, not with each other" in answer.closing
    assert "none of it has been seen in a person" in answer.closing


def test_the_lead_says_what_only_pairs_can_show(evidence: Evidence) -> None:
    table = evidence.endpoints.copy()
    evidence = replace(evidence, endpoints=table)
    is_pair = table["endpoint"] == "paired_difference"
    table.loc[is_pair, ["estimate", "p_adjusted"]] = (-9.0, 0.01)
    table.loc[table["endpoint"] == "rate_ratio", "p_adjusted"] = 0.5
    lead = plain_answer(evidence).lead
    assert lead.endswith("none: within the same patients each of them did better.")
    table.loc[is_pair & (table["arm"] == "gp"), "estimate"] = 9.0
    table.loc[is_pair & (table["arm"] == "fixed"), "p_adjusted"] = 0.06
    lead = plain_answer(evidence).lead
    assert lead.endswith("titration and random did better and gp did worse.")


@pytest.mark.parametrize(
    ("question", "is_direct"),
    [
        ("Does GP do more than fixed, or than titration?", False),
        ("By how much do gp and fixed lower seizures against sham?", True),
        ("Does gp lower seizures?", True),
        ("Are fixedness and gps any good?", True),
    ],
)
def test_a_question_between_arms_is_not_answered_by_the_reference(
    evidence: Evidence, question: str, is_direct: bool
) -> None:
    lead = plain_answer(asking(evidence, question)).lead
    said = "The question sets fixed, titration and gp against each other"
    assert lead.startswith("Against sham" if is_direct else said)
    assert ("not answered directly" in lead) is not is_direct


def test_the_answer_says_when_an_arm_is_worse(large: Trial) -> None:
    swapped = large.epochs["arm"].replace({"gp": "sham", "sham": "gp"})
    answer = plain_answer(evidence_of(*large._replace(epochs=large.epochs.assign(arm=swapped))))
    assert re.search(r"would show more seizures with .*gp", answer.lead)
    assert "fewer" not in answer.lead
    assert re.match(r"\d+ % more seizures than sham", answer.points["gp"])


def test_a_single_arm_and_two_patients_claim_nothing() -> None:
    alone = plain_answer(evidence_of(*fabricate(12, arms=ARMS[4:])))
    assert alone.lead.startswith("There is no arm to compare with")
    assert alone.points["gp"].startswith("median change from baseline ")
    two = plain_answer(evidence_of(*fabricate(2)))
    assert two.lead.startswith("No rate ratio could be estimated for fixed")


def test_the_endpoint_table_has_a_row_per_endpoint_and_a_cell_per_arm(
    evidence: Evidence,
) -> None:
    rows, notes = endpoint_rows(evidence)
    assert [row["label"] for row in rows] == list(evidence.endpoints["label"].unique())
    assert {len(row["cells"]) for row in rows} == {5}
    assert rows[0]["cells"][0] is None
    assert re.fullmatch(
        r"±\s\d\.\d\d, p\s\d\.\d{3}, adj\.\s\d\.\d{3}", rows[0]["cells"][4]["aside"]
    )
    by_label = {row["label"]: row for row in rows}
    change, share = by_label["Median percent change from baseline"], by_label["50 % responders"]
    assert (rows[0]["n"], change["n"]) == ("32", "16")
    assert (change["unit"], share["unit"]) == ("%", "% of patients, p unpaired")
    assert rows[0]["unit"] == "ratio"
    ratio = next(note for note in notes if note.startswith("Ratio of sums"))
    assert ratio.count("Except") == ratio.count("No event") == 1
    assert "“Proposals held” in sham, fixed, titration and random" in ratio


def test_pairs_that_were_asked_for_have_rows_of_their_own(trial: Trial) -> None:
    asked = Requests(is_every_pair=True, n_permutations=99)
    evidence = evidence_of(*trial, asked)
    rows, _ = endpoint_rows(evidence)
    by_label = {row["label"]: row for row in rows}
    against = by_label["Rate ratio, unpaired, against titration"]
    assert [cell is None for cell in against["cells"]] == [True, True, True, False, False]
    assert against["chapter"] is None
    permuted = by_label["Rate ratio, permutation test, unpaired"]["cells"][4]
    assert re.search(r"p\s\S+\s±\s", permuted["aside"])
    answer = plain_answer(asking(evidence, "Does gp do more than fixed?"))
    assert answer.lead.startswith(
        "The question sets fixed and gp against each other, and how they compare is in the endpoint"
    )
    assert answer.closing.startswith("Arms were compared with each other, too")
    found, usual = (one.estimate("rate_ratio", "gp") for one in (evidence, evidence_of(*trial)))
    assert found["against"] == usual["against"] == "sham"
    assert found["p"] == usual["p"]
    assert found["p_adjusted"] >= usual["p_adjusted"]


def test_a_cell_says_what_differs_from_the_rest_of_its_row() -> None:
    none = float("nan")
    row = {"estimate": none, "low": none, "high": none, "monte_carlo_error": none, "unit": "days"}
    row |= {"n": 7, "p": none, "p_error": none, "p_adjusted": none}
    cell = endpoint_cell(row, 9)
    assert cell == {"estimate": "not estimated", "interval": "", "aside": "n 7"}
    row |= {"estimate": 43.0, "low": 21.5, "high": float("inf")}
    row |= {"p": 0.012, "p_error": 0.0034, "p_adjusted": 0.024}
    cell = endpoint_cell(row, 7)
    aside = "p 0.012 ± 0.003, adj. 0.024".replace(" ", "\u00a0").replace(",\u00a0", ", ")
    assert cell == {"estimate": "43.0", "interval": "(21.5 or more)", "aside": aside}
    assert main_method(["No event, so …", "No event, so …", "Ratio"]) == "Ratio"
    assert main_method(["Not estimated: …"]) == "Not estimated: …"


def test_failures_of_controllers_are_counted_with_their_first_reason(evidence: Evidence) -> None:
    epochs = evidence.epochs
    treated = epochs[(epochs["arm"] == "gp") & (epochs["phase"] == "treatment")]
    first = treated.sort_values(["start_day", "patient"]).index[0]
    fault = epochs["fault"].copy()
    fault[first] = "KeyError: 'site'"
    n = int((fault[treated.index] != "").sum())
    found = replace(evidence, epochs=epochs.assign(fault=fault))
    assert f" {n} came to nothing because the controller failed." in safety_line(found)["text"]
    rows = faults(found)
    assert rows is not None
    assert [row["arm"] for row in rows] == ["gp"]
    assert rows[0]["n"] == f"{n} of {len(treated)}"
    assert (rows[0]["reason"], rows[0]["others"]) == ("KeyError: 'site'", "and 1 other")
    assert faults(replace(evidence, epochs=epochs.assign(fault=""))) == []
    unrecorded = replace(evidence, epochs=epochs.drop(columns="fault"))
    assert faults(unrecorded) is None
    assert "failed" not in safety_line(unrecorded)["text"]


def test_failures_of_controllers_are_on_the_page(page: Page) -> None:
    assert re.search(r"gp \d+ of \d+ [\d.]+ % \d+ ValueError: the kernel is not", page.words)


def test_arms_are_described_by_the_manifest_or_by_their_controller(
    evidence: Evidence, page: Page
) -> None:
    assert "What titration does, in one sentence. Controller titration: step 0.5 mA" in page.words
    bare = {key: value for key, value in evidence.manifest.items() if key != "arm_summaries"}
    assert [arm["words"] for arm in arms(replace(evidence, manifest=bare))] == [""] * 5


def test_an_incident_is_an_alarm_and_all_text_is_escaped() -> None:
    trial = fabricate(6, arms=ARMS[::4])
    manifest = copy.deepcopy(trial.manifest)
    manifest["design"].update(title=HOSTILE, question=HOSTILE, name=HOSTILE)
    manifest["design"]["arms"][1]["options"] = {HOSTILE: HOSTILE}
    manifest["arm_summaries"] = {"gp": HOSTILE}
    manifest.update(command=HOSTILE, machine=HOSTILE, versions={HOSTILE: HOSTILE})
    epochs = trial.epochs.assign(
        findings=trial.epochs["findings"].mask(trial.epochs["findings"] != "", HOSTILE),
        fault=trial.epochs["fault"].mask(trial.epochs["fault"] != "", HOSTILE),
        rules=trial.epochs["rules"].mask(trial.epochs["rules"] != "", HOSTILE),
        n_incidents=[2] + [0] * (len(trial.epochs) - 1),
    )
    manifest["is_finished"] = False
    text = render(epochs, trial.patients, manifest)
    assert "<script" not in text
    assert "This run is not finished." in text
    words = Page(text).words
    assert "Device-side check incidents: 2 (this must be 0: do not use these results)" in words


def test_hostile_and_odd_arm_names_are_escaped_everywhere() -> None:
    odd = ['"onload="x', "$x^2$ & url(#x) id='y' #0067b0", "脳刺激" * 30]
    text = render(*with_arms_called(fabricate(6), [f"{HOSTILE} 0", *odd, HOSTILE]))
    page = Page(text)
    assert "<script" not in text
    assert all(name in "".join(page.text) for name in (HOSTILE, *odd))
    assert not [attributes for _, attributes in page.tags if "onload" in attributes]
    svgs = "".join(re.findall(r"<svg.*?</svg>", text, flags=re.DOTALL))
    assert "&lt;script&gt;" in svgs
    csv = re.search(r'<pre class="csv"[^>]*>(.*?)</pre>', text, flags=re.DOTALL)
    assert csv is not None
    assert "&lt;script&gt;" in csv.group(1)
    assert "%3Cscript%3E" in text


def test_the_endpoint_table_is_embedded_whole(text: str) -> None:
    found = re.search(r'<pre class="csv"[^>]*>(.*?)</pre>', text, flags=re.DOTALL)
    assert found is not None
    lines = found.group(1).strip().split("\n")
    assert lines[0] == (
        "arm,against,endpoint,label,analysis,estimate,low,high,monte_carlo_error,unit,n,p,p_error,"
        "p_adjusted,method"
    )
    assert len(lines) > 80
    assert all(f'id="note-{n}"' in text for n in range(1, 9))


def test_identity_and_command_are_there(page: Page, trial: Trial) -> None:
    words = page.words
    for key in ("fingerprint", "machine", "command", "created"):
        assert trial.manifest[key] in words
    assert "5 min 12 s" in words


def test_the_same_trial_gives_the_same_bytes(trial: Trial, text: str, tmp_path: Path) -> None:
    path = write_report(tmp_path / "report.html", *trial)
    assert path.read_text(encoding="utf-8") == text
    assert path.stat().st_size < 800_000


def test_the_key_figure_is_the_same_picture_again(trial: Trial, tmp_path: Path) -> None:
    for name in ("a.svg", "b.svg", "key.png"):
        key_figure(*trial, tmp_path / name)
    assert (tmp_path / "a.svg").read_bytes() == (tmp_path / "b.svg").read_bytes()
    assert (tmp_path / "key.png").read_bytes().startswith(b"\x89PNG")


@pytest.mark.parametrize(
    "name", ["one patient", "a single arm", "no seizures", "no diary", "no gap", "no treatment"]
)
def test_degenerate_trials_render(name: str) -> None:
    page = Page(render(*DEGENERATE[name]()))
    words = page.words
    assert not re.search(r"\bnan\b|\binf\b|<NA>|None\b", words.split("arm,against")[0])


def test_rows_as_a_plain_table_would_hold_them(trial: Trial, text: str) -> None:
    # Nullable integers may come back from a file as floats with NaN.
    plain = trial.epochs.copy()
    for name in plain.columns[plain.dtypes == "Int64"]:
        plain[name] = plain[name].astype("float64")
    assert render(plain, *trial[1:]) == text


def test_the_report_does_not_load_torch() -> None:
    code = "import sys, neurostim.report, neurostim.endpoints; sys.exit('torch' in sys.modules)"
    assert subprocess.run([sys.executable, "-c", code], check=False).returncode == 0


def test_words() -> None:
    assert number(-0.04, "%") == "0.0"
    assert number(-1234.56, "%") == "−1,234.6"
    assert number(float("nan")) == "–"
    assert (p_value(0.00099), p_value(0.04)) == ("< 0.001", "0.040")
    assert (percent_from_ratio(0.7), percent_from_ratio(1.2)) == ("30 % fewer", "20 % more")
    assert (duration(3.21), duration(312.4), duration(7260)) == ("3.2 s", "5 min 12 s", "2 h 1 min")
    assert rule_counts(pd.Series(["a;b", "a", "", None])) == {"a": 2, "b": 1}
    assert option_words({"setting": {"site": 0, "amplitude_ua": 4000}, "is_x": True}) == [
        "setting (site 0 and amplitude 4 mA)",
        "is x yes",
    ]

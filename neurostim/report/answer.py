"""The plain answer and the safety line that head a report, made from its numbers alone."""

import re
from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import pandas as pd

from neurostim.report.evidence import Evidence
from neurostim.report.words import count, interval, listed, number, p_value, percent_of

SIGNIFICANCE = 0.05
MODEL_ONLY = (
    "all of this holds under the assumptions of the patient model, and none of it has been seen in "
    "a person."
)
Row = Mapping[str, Any]


@dataclass(frozen=True, slots=True, kw_only=True)
class Answer:
    """One sentence that answers the question, one point per arm, and one sentence to close.

    `points` holds what is said of an arm by its name; `note` explains the words used in them.
    """

    lead: str
    points: dict[str, str]
    closing: str
    note: str

    @property
    def text(self) -> str:
        """The whole answer as one text."""
        points = (f"{arm}: {said}" for arm, said in self.points.items())
        return " ".join([self.lead, *points, self.closing, self.note])


def plain_answer(evidence: Evidence) -> Answer:
    """Return the answer to the design's question, with one point per arm."""
    is_compared = evidence.is_compared
    arms = [*evidence.others, evidence.reference] if is_compared else list(evidence.arms)
    return Answer(
        lead=compared_lead(evidence) if is_compared else LONELY,
        points={arm: point(evidence, arm) for arm in arms},
        closing=closing(evidence),
        note=note(evidence),
    )


LONELY = (
    "There is no arm to compare with, so nothing here says that a change is due to stimulation: "
    "seizures also change by themselves, and by being counted."
)


def size(evidence: Evidence) -> str:
    """Return who was treated and for how long."""
    n = int(evidence.outcomes["patient"].nunique())
    schedule = evidence.schedule
    who = "1 simulated patient" if n == 1 else f"{count(n)} simulated patients"
    arms = "one arm" if len(evidence.arms) == 1 else f"each of {len(evidence.arms)} arms"
    if len(evidence.arms) > 1 and not evidence.is_paired:
        arms = f"{len(evidence.arms)} arms, each in one of them"
    return (
        f"{who} in {arms}: {schedule['baseline_days']} days of baseline, then "
        f"{schedule['treatment_days']} days of treatment, of which the last "
        f"{schedule['evaluation_days']} are evaluated"
    )


def compared_lead(evidence: Evidence) -> str:
    """Return which arms a parallel trial would tell from the reference, and which it would not."""
    found = sorted_arms(evidence)
    said = [
        f"show {word} seizures with {listed(found[word])}"
        for word in ("fewer", "more")
        if found[word]
    ]
    if found["unshown"]:
        said.append(
            f"not show a difference with {listed(found['unshown'], 'or')}, which is not the same "
            f"as there being none{within_patients(evidence, found['unshown'])}"
        )
    parts = []
    if asked := asked_of_each_other(evidence):
        only = f"they were compared with {evidence.reference} only, so it is not answered directly"
        how = "how they compare is in the endpoint table" if evidence.is_every_pair else only
        parts.append(f"the question sets {listed(asked)} against each other, and {how}")
    if said:
        against = f"against {evidence.reference}, a parallel trial of this size would "
        parts.append(against + " and would ".join(said))
    if found["missing"]:
        parts.append(f"no rate ratio could be estimated for {listed(found['missing'])}")
    text = "; ".join(parts)
    return f"{text[:1].upper()}{text[1:]}."


def within_patients(evidence: Evidence, arms: Sequence[str]) -> str:
    """Return which of some arms did better or worse when compared within the same patients."""
    found: dict[str, list[str]] = {"better": [], "worse": []}
    for arm in arms:
        row = evidence.estimate("paired_difference", arm)
        if row is not None and row["p_adjusted"] < SIGNIFICANCE and row["estimate"] != 0:
            found["better" if row["estimate"] < 0 else "worse"].append(arm)
    said = [
        f"{'each of them' if len(who) == len(arms) > 1 else listed(who)} did {word}"
        for word, who in found.items()
        if who
    ]
    return f": within the same patients {listed(said)}" if said else ""


def sorted_arms(evidence: Evidence) -> dict[str, list[str]]:
    """Return the arms by what their rate ratio shows against the reference."""
    found: dict[str, list[str]] = {"fewer": [], "more": [], "unshown": [], "missing": []}
    for arm in evidence.others:
        found[verdict(evidence.estimate("rate_ratio", arm))].append(arm)
    return found


def verdict(row: Row | None) -> str:
    """Return what a rate ratio shows: fewer, more, unshown, or missing."""
    if row is None or not np.isfinite(row["estimate"]):
        return "missing"
    if not row["p_adjusted"] < SIGNIFICANCE:
        return "unshown"
    return "fewer" if row["estimate"] < 1 else "more"


def asked_of_each_other(evidence: Evidence) -> list[str]:
    """Return the arms that the question names when it names several, but not the reference."""
    question = str(evidence.design.get("question") or "").casefold()
    named = [arm for arm in evidence.others if names(question, arm)]
    return named if len(named) > 1 and not names(question, evidence.reference) else []


def names(question: str, arm: str) -> bool:
    """Return whether a question names an arm, as a word of its own."""
    words = r"[-_\s]+".join(
        re.escape(part) for part in re.split(r"[-_\s]+", arm.casefold()) if part
    )
    return bool(words) and re.search(rf"(?<!\w){words}(?!\w)", question) is not None


def point(evidence: Evidence, arm: str) -> str:
    """Return what is said of one arm: seizures, the paired difference, the gap, and harm."""
    if not evidence.is_compared:
        change = with_interval(evidence, "percent_change", arm) or "not estimated"
        clauses = [f"median change from baseline {change}", gap(evidence, arm)]
    elif arm == evidence.reference:
        change = with_interval(evidence, "percent_change", arm) or "not estimated"
        clauses = [f"the reference; median change from its own baseline {change}"]
    else:
        clauses = [unpaired(evidence, arm), paired(evidence, arm), gap(evidence, arm)]
    clauses.append(made_worse(evidence, arm))
    return f"{'; '.join(clause for clause in clauses if clause)}."


def unpaired(evidence: Evidence, arm: str) -> str:
    """Return the rate ratio as a change in seizures, with its interval and p."""
    row = evidence.estimate("rate_ratio", arm)
    found = verdict(row)
    if row is None or found == "missing":
        return "rate ratio not estimated (the notes of the endpoint table say why)"
    ratio = (
        f"unpaired rate ratio {number(row['estimate'], 'ratio')}, "
        f"{interval(row['low'], row['high'], 'ratio')}, adjusted p {spoken_p(row['p_adjusted'])}"
    )
    if found == "unshown":
        return f"no difference from {evidence.reference} shown ({ratio})"
    return f"{percent_from_ratio(row['estimate'])} seizures than {evidence.reference} ({ratio})"


def paired(evidence: Evidence, arm: str) -> str:
    """Return the difference within patients, which only a simulation can see."""
    row = evidence.estimate("paired_difference", arm)
    if row is None or not np.isfinite(row["low"]):
        return ""
    sign = "+" if round(row["estimate"]) > 0 else ""
    return (
        f"paired, percent change {sign}{number(row['estimate'], '%', 0)} points "
        f"({interval(row['low'], row['high'], '%', 0)}, adjusted p {spoken_p(row['p_adjusted'])})"
    )


def spoken_p(p: float) -> str:
    """Return p as it stands in a sentence."""
    text = p_value(p)
    return text if text.startswith("<") else f"= {text}"


def percent_from_ratio(ratio: float) -> str:
    """Return a ratio as "30 % fewer" or "20 % more"."""
    percent = round(100 * (ratio - 1))
    if percent == 0:
        return "0 %"
    return f"{abs(percent)} % {'fewer' if percent < 0 else 'more'}"


def with_interval(evidence: Evidence, endpoint: str, arm: str) -> str:
    """Return an estimate in percent with its interval, or nothing where there is none."""
    row = evidence.estimate(endpoint, arm)
    if row is None or not np.isfinite(row["estimate"]):
        return ""
    text = f"{number(row['estimate'], '%', 0)} %"
    if np.isfinite(row["low"]):
        text += f" ({interval(row['low'], row['high'], '%', 0)})"
    return text


def gap(evidence: Evidence, arm: str) -> str:
    """Return how much of what was possible an arm reached."""
    text = with_interval(evidence, "gap_in_trial", arm)
    return f"closed {text} of the gap" if text else "no gap to close"


def made_worse(evidence: Evidence, arm: str) -> str:
    """Return how many patients of an arm ended on a setting that truly harms them."""
    is_worse = evidence.of(arm)["is_worse_25_truly"].dropna().astype(bool)
    n, n_worse = len(is_worse), int(is_worse.sum())
    if not n_worse:
        return f"made 0 of {count(n)} patients worse" if n else ""
    return f"made {count(n_worse)} of {count(n)} patients worse ({percent_of(n_worse, n)})"


def closing(evidence: Evidence) -> str:
    """Return the sentence on what the answer rests on."""
    text = MODEL_ONLY
    if evidence.is_compared and len(evidence.others) > 1:
        compared = (
            "Arms were compared with each other, too, in the endpoint table"
            if evidence.is_every_pair
            else f"Arms were compared with {evidence.reference} only, not with each other"
        )
        text = f"{compared}; {text}"
    return f"{text[:1].upper()}{text[1:]}"


def note(evidence: Evidence) -> str:
    """Return what the words of the points mean."""
    is_several = evidence.is_compared and len(evidence.others) > 1
    several = " and, unlike p, not adjusted for the number of arms" if is_several else ""
    sentences = [f"Intervals are 95 %{several}."]
    if evidence.is_compared:
        sentences.append(
            "Unpaired: as a parallel trial of this size would see it. Paired: the median "
            "difference within the same patients in percentage points, below 0 for fewer seizures."
        )
    shown = [evidence.estimate("gap_in_trial", arm) for arm in evidence.arms]
    if any(row is not None and np.isfinite(row["estimate"]) for row in shown):
        sentences.append("The gap lies between no stimulation and each patient's best setting.")
    else:
        sentences.append(
            "No patient has a better setting than off, so there was no gap to close, and "
            "stimulation can only be neutral or harmful."
        )
    sentences.append(
        "Made worse: by the hidden truth, ended on a setting that raises the seizure rate by 25 % "
        "or more over no stimulation."
    )
    return " ".join(sentences)


def safety_line(evidence: Evidence) -> dict[str, Any]:
    """Return the incidents of the device-side check, and what safety did with the proposals."""
    rows = evidence.treatment
    n_incidents = int(evidence.epochs["n_incidents"].sum())
    rulings = Counter(rows["ruling"].astype(str))
    clauses = [
        f"{count(rulings[ruling])} {words}{by_rule(rows[rows['ruling'] == ruling])}"
        for ruling, words in (
            ("clamped", "clamped"),
            ("held", "held"),
            ("fallen-back", "answered with the baseline or nothing"),
            ("stopped", "stopped"),
        )
    ]
    text = f"Of {count(len(rows))} proposals during treatment, {listed(clauses)}."
    n_failed = len(failed(rows)) if "fault" in rows.columns else 0
    if n_failed:
        text += f" {count(n_failed)} came to nothing because the controller failed."
    return {"n_incidents": n_incidents, "is_clean": n_incidents == 0, "text": text}


def failed(rows: pd.DataFrame) -> pd.DataFrame:
    """Return the epochs whose proposal came to nothing because the controller failed."""
    return rows[rows["fault"].fillna("").astype(str) != ""]


def by_rule(rows: pd.DataFrame) -> str:
    """Return how often each rule was named, in brackets, or nothing."""
    rules = rule_counts(rows["rules"])
    if not rules:
        return ""
    ordered = sorted(rules.items(), key=lambda item: (-item[1], item[0]))
    return f" ({', '.join(f'{rule} {count(n)}' for rule, n in ordered)})"


def rule_counts(rules: Sequence[Any] | pd.Series) -> Counter[str]:
    """Return in how many epochs each rule was named."""
    found: Counter[str] = Counter()
    for text in rules:
        if isinstance(text, str):
            found.update({part.strip() for part in text.split(";") if part.strip()})
    return found

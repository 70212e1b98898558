"""Why anyone should believe a report, and why not: part 11.

The checklists are filled from the manifest and never claim what it does not hold.
"""

from collections.abc import Mapping, Sequence
from typing import Any

from neurostim.report.evidence import Evidence
from neurostim.report.table import Table
from neurostim.report.words import NOT_ESTIMATED, count, listed, number

NOT_RECORDED = "not recorded"
STRESS_SOURCE = "STRESS-DES: Monks et al. 2019, Journal of Simulation 13:55"
ADEMP_SOURCE = "ADEMP: Morris, White and Crowther 2019, Statistics in Medicine 38:2074"


def validation_table(validation: Sequence[Mapping[str, Any]]) -> Table:
    """Return what the population reproduces of the published figures, and what it does not."""
    return Table(
        label="Held against published figures",
        caption="Published figures, the band that counts as reproduced, and what the virtual "
        "patients show (± one Monte Carlo standard error).",
        heads=("Figure", "Published", "Band", "Ours", "Reproduced", "Source"),
        rows=[
            (
                f"{row['id']} {row['what']}",
                str(row["published"]),
                band(row["band"]),
                ours(row),
                reproduced(row),
                str(row["source"]),
            )
            for row in validation
        ],
        words=frozenset({1, 2, 4, 5}),
    )


def validation_verdict(validation: Sequence[Mapping[str, Any]]) -> str:
    """Return how many of the figures that are judged lie in their bands, and which do not."""
    judged = [row for row in validation if row.get("is_judged", True)]
    failed = [str(row["id"]) for row in judged if not row["passed"]]
    text = f"{len(judged) - len(failed)} of {len(judged)} judged figures are reproduced"
    if not failed:
        return f"{text}."
    return f"{text}; {listed(failed)} {'is' if len(failed) == 1 else 'are'} not."


def reproduced(row: Mapping[str, Any]) -> str:
    """Return whether a figure is reproduced, in a word or two."""
    if row["value"] is None:
        return "not measured"
    word = "yes" if row["passed"] else "NO"
    return word if row.get("is_judged", True) else f"{word}, not judged"


def band(edges: Sequence[float | None]) -> str:
    """Return a band in words; an edge of None is open."""
    low, high = (None if edge is None else f"{edge:g}".replace("-", "−") for edge in edges)
    if low is None and high is None:
        return "none"
    if low is None:
        return f"at most {high}"
    return f"at least {low}" if high is None else f"{low} to {high}"


def ours(row: Mapping[str, Any]) -> str:
    """Return our figure with its error."""
    if row["value"] is None:
        return NOT_ESTIMATED
    error = row["error"]
    text = number(float(row["value"]))
    return text if error is None else f"{text} ± {number(float(error))}"


def stress(evidence: Evidence) -> Table:
    """Return the checklist for reporting discrete-event simulation, filled."""
    return checklist("STRESS-DES", STRESS_SOURCE, stress_items(evidence))


def ademp(evidence: Evidence) -> Table:
    """Return the checklist for simulation studies, filled."""
    return checklist("ADEMP", ADEMP_SOURCE, ademp_items(evidence))


def checklist(name: str, source: str, items: Sequence[tuple[str, str]]) -> Table:
    """Return a checklist as a table of words."""
    return Table(
        label=f"{name} checklist",
        caption=f"{source}. Filled from the manifest of this run.",
        heads=("Item", "Here"),
        rows=items,
        words=frozenset({1}),
    )


def stress_items(evidence: Evidence) -> list[tuple[str, str]]:
    """Return the items of STRESS-DES with what the manifest says to each."""
    manifest, design, schedule = evidence.manifest, evidence.design, evidence.schedule
    population = design.get("population") or {}
    versions = manifest.get("versions") or {}
    n_blocks = manifest.get("block_size")
    return [
        ("1.1 Purpose", said(design, "question")),
        (
            "1.2 Outputs",
            f"{count(evidence.endpoints['endpoint'].nunique())} endpoints, defined in the notes of "
            "part 4; one row per arm, patient and epoch",
        ),
        (
            "1.3 Aims of experimentation",
            f"comparison of {listed(evidence.others)} with {evidence.reference}"
            if evidence.is_compared
            else "description of one arm",
        ),
        (
            "2.1 and 2.2 Logic of the base model",
            f"the {population.get('model', NOT_RECORDED)} family of patients: seizures are "
            "discrete events whose hazard has cycles, memory, clusters, drift and a response to "
            "stimulation; the law and its sources are in docs/law.md",
        ),
        ("2.3 Scenarios", f"{len(evidence.arms)} arms: {listed(evidence.arms)}"),
        (
            "2.4 Algorithms",
            "one controller per arm (part 2); every proposal passes the safety layer, "
            "docs/safety.md",
        ),
        (
            "2.5 Components",
            f"entities: {count(int(evidence.outcomes['patient'].nunique()))} patients; activities: "
            f"epochs of {schedule['epoch_days']} days; no queues and no shared resources; patients "
            "enter at baseline and leave at the end or at drop-out",
        ),
        (
            "3.1 and 3.2 Data and input parameters",
            f"baselines: {population.get('baselines', NOT_RECORDED)}; every number of the law has "
            "its source or is called an assumption in docs/law.md",
        ),
        (
            "3.3 Pre-processing",
            f"eligibility: at least {population.get('least_per_28_days', 0):g} seizures per 28 "
            "days written at baseline",
        ),
        (
            "3.4 Assumptions",
            "docs/law.md; what is reproduced of published figures stands in this part",
        ),
        (
            "4.1 Initialisation",
            f"no warm-up; {schedule['baseline_days']} days of baseline without stimulation",
        ),
        (
            "4.2 Run length",
            f"{schedule['treatment_days']} days of treatment, the last "
            f"{schedule['evaluation_days']} evaluated",
        ),
        (
            "4.3 Estimation",
            "one replication of "
            f"{count(int(evidence.outcomes['patient'].nunique()))} patients; the Monte Carlo error "
            "of every estimate stands in part 4; common random numbers across arms",
        ),
        (
            "5.1 Software",
            listed(f"{name} {version}" for name, version in versions.items()) or NOT_RECORDED,
        ),
        (
            "5.2 Random numbers",
            "counter-based (Philox), addressed by seed, patient, time and purpose; seed "
            f"{manifest.get('seed', NOT_RECORDED)}",
        ),
        (
            "5.3 Execution",
            f"shards of {n_blocks} patients" if n_blocks else NOT_RECORDED,
        ),
        ("5.4 System", str(manifest.get("machine", NOT_RECORDED))),
        (
            "6.1 Sharing of the model",
            f"neurostim {versions.get('neurostim', '')}, MIT licence; "
            f"{manifest.get('command') or 'the command was not recorded'}",
        ),
    ]


def ademp_items(evidence: Evidence) -> list[tuple[str, str]]:
    """Return the items of ADEMP with what the manifest says to each."""
    design = evidence.design
    population = design.get("population") or {}
    estimand = design.get("estimand") or {}
    return [
        ("Aims", said(design, "question")),
        (
            "Data-generating mechanisms",
            f"the {population.get('model', NOT_RECORDED)} family, baselines "
            f"{population.get('baselines', NOT_RECORDED)}, "
            f"{count(int(evidence.outcomes['patient'].nunique()))} patients"
            + (", every arm with the same luck" if evidence.is_paired else ""),
        ),
        (
            "Estimands",
            str(
                estimand.get("summary")
                or "the design has no estimand block; the primary endpoint "
                "is the rate ratio in the evaluation window"
            ),
        ),
        (
            "Methods",
            f"controllers {listed(dict.fromkeys(str(arm['controller']) for arm in design['arms']))}"
            "; analyses in the notes of part 4, unpaired and paired",
        ),
        (
            "Performance measures",
            "the endpoints of part 4, each with its Monte Carlo error; power and type I error in "
            "part 9 where they were simulated",
        ),
    ]


def said(design: Mapping[str, Any], key: str) -> str:
    """Return a text of the design."""
    return str(design.get(key) or NOT_RECORDED)

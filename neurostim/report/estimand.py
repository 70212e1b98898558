"""What a trial set out to estimate, and where this run left its design: part 2."""

from neurostim.report.evidence import Evidence

FIELDS = {
    "population": "Population",
    "treatment": "Treatment",
    "variable": "Variable",
    "intercurrent_events": "Intercurrent events",
    "summary": "Summary",
}


def estimand(evidence: Evidence) -> list[tuple[str, str]]:
    """Return the estimand as the design states it, empty where it states none."""
    stated = evidence.design.get("estimand") or {}
    known = [(FIELDS[name], str(stated[name])) for name in FIELDS if stated.get(name)]
    others = [
        (name.replace("_", " ").capitalize(), str(text))
        for name, text in stated.items()
        if name not in FIELDS and text
    ]
    return known + others


def deviations(evidence: Evidence) -> list[str] | None:
    """Return where this run left its design, a sentence each; None where it was not recorded."""
    found = evidence.manifest.get("deviations")
    return None if found is None else [str(sentence) for sentence in found]

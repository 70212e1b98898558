"""One hospital's part of a federated round: its patients in, a file of sums out."""

import json
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from pydantic import ValidationError

from neurostim.learning.cohort import cohort_of_rows
from neurostim.learning.sources import arm_of, fingerprint
from neurostim.meta.federation import (
    DISPERSIONS_PER_DAY,
    Protection,
    Surfaces,
    check_wash_in,
    generic_start,
    summarised,
    write_sums,
)
from neurostim.meta.prior_file import read_prior, refuse_existing
from neurostim.meta.privacy import DEFAULT_DELTA, epsilon_of
from neurostim.plan import candidates_of
from neurostim.results import load
from protocols import InputError, Setting
from protocols.design import Design, faults
from safety import load_envelope


@dataclass(frozen=True, slots=True, kw_only=True)
class Sent:
    """What a hospital should know of what it sends; norms and clipping are for its eyes only."""

    n_patients: int
    round: int
    median_norm: float
    n_clipped: int
    epsilon: float | None
    delta: float


def summarise(
    folder: Path,
    out: Path,
    *,
    prior: Path | None,
    protection: Protection,
    arm: str | None = None,
    wash_in_days: float = 18.0,
    delta: float = DEFAULT_DELTA,
) -> Sent:
    """Write the sums over the patients of a results folder, for the round after this prior's."""
    if not 0 < delta < 1:
        raise InputError(f"--delta {delta}: a number between 0 and 1 was expected")
    refuse_existing(out)
    check_wash_in(wash_in_days)
    result = load(folder)
    candidates = listed(result.manifest)
    start, about = _start(candidates, prior, wash_in_days)
    people = cohort_of_rows(arm_of(result.epochs(), arm), candidates)
    observed = {"effects": people.effects, "side_effects": people.side_effects}
    summary = summarised(start, observed, protection)
    try:
        number = int(about.get("round") or 0) + 1
        spent = _spent(about, protection.noise_multiplier)
    except (TypeError, ValueError, AttributeError) as error:
        raise InputError(f"{prior}: how it was learned cannot be read ({error})") from None
    epsilon = None if spent is None else epsilon_of(spent, delta)
    header = {
        "round": number,
        "cohort": fingerprint(folder) if spent is None else None,
        "clip": protection.clip,
        "noise_multiplier": protection.noise_multiplier,
        "mu_squared": spent,
        "epsilon": epsilon,
        "delta": delta,
        "neighbours": "one patient's history replaced by nothing; the number of patients is told",
    }
    write_sums(out, candidates, start, summary, header)
    clip = protection.clip
    return Sent(
        n_patients=len(people),
        round=number,
        median_norm=float(summary.norms.median()),
        n_clipped=0 if clip is None else int((summary.norms > clip).sum()),
        epsilon=epsilon,
        delta=delta,
    )


def listed(manifest: dict[str, Any]) -> tuple[Setting, ...]:
    """The list of settings of a finished run; its patients and controllers do not matter here."""
    text = manifest["design"] | {
        "population": {"n_patients": 1, "model": manifest["design"]["population"]["model"]}
    }
    try:
        design = Design.model_validate_json(json.dumps(text))
    except ValidationError as error:
        raise InputError(faults(error, "manifest: design.")) from None
    envelope = load_envelope(design.device.envelope)
    if envelope.hash != manifest["envelope_hash"]:
        raise InputError(
            f"device.envelope = {design.device.envelope!r}: it is not the one that this run was "
            "made with"
        )
    return candidates_of(design, envelope)


def _start(
    candidates: tuple[Setting, ...], prior: Path | None, wash_in_days: float
) -> tuple[Surfaces, dict[str, Any]]:
    if prior is None:
        return generic_start(candidates, wash_in_days, DISPERSIONS_PER_DAY), {}
    found = read_prior(prior, candidates)
    return {"effects": found.effects, "side_effects": found.side_effects}, dict(found.about)


def _spent(about: dict[str, Any], noise_multiplier: float | None) -> float | None:
    """The sum of mu^2 over the rounds so far, or None when one of them had no noise.

    A prior that was learned from people's rows has no noise either; one from virtual patients, or
    none, gives nothing away.
    """
    is_of_nobody = not about or ("round" not in about and "from" not in (about.get("cohort") or {}))
    before = 0.0 if is_of_nobody else about.get("mu_squared")
    if noise_multiplier is None or before is None:
        return None
    return float(before) + noise_multiplier**-2

"""The figure of charge density: how close what was delivered came to what tissue may take."""

from collections.abc import Mapping
from typing import Any, NamedTuple

import numpy as np
import numpy.typing as npt
import pandas as pd
from matplotlib.figure import Figure

from neurostim.report.drawing import PANEL, Drawing, legend_below, look
from neurostim.report.evidence import Evidence
from neurostim.report.svg import INK, inline_svg
from neurostim.report.words import number, short
from safety import Envelope, envelope_names, load_envelope

Array = npt.NDArray[np.float64]
UM2_PER_CM2 = 1e8
PERMILLE = 1000.0


class Phase(NamedTuple):
    """What one phase of a pulse delivers, per epoch, with its unit and its limit (NaN: none)."""

    values: Array
    name: str
    unit: str
    limit: float


def envelope_of(manifest: Mapping[str, Any]) -> Envelope | None:
    """Return the envelope that a trial ran under, None where it is not a shipped one any more."""
    name = str((manifest["design"].get("device") or {}).get("envelope", ""))
    if name not in envelope_names():
        return None
    envelope = load_envelope(name)
    return envelope if envelope.hash == manifest.get("envelope_hash") else None


def phase_of(rows: pd.DataFrame, envelope: Envelope | None) -> Phase:
    """Return the charge density at the most loaded contact, per row.

    Without an envelope the area of the contacts is unknown: then it is the charge of a phase.
    """
    amplitude = rows["delivered_amplitude_ua"].to_numpy(dtype=float)
    charge_uc = amplitude * rows["delivered_pulse_width_us"].to_numpy(dtype=float) / 1e6
    if envelope is None:
        return Phase(charge_uc, "charge per phase", "µC", float("nan"))
    loads = np.array(
        [
            max(
                share / PERMILLE / (contact.area_um2 / UM2_PER_CM2)
                for share, contact in zip(montage.shares_permille, envelope.contacts, strict=True)
            )
            for montage in envelope.montages
        ]
    )
    density = charge_uc * loads[rows["delivered_site"].to_numpy(dtype=int)]
    return Phase(density, "charge density", "µC/cm²", envelope.max_density_hundredths / 100)


def charge_density(evidence: Evidence) -> Drawing:
    """Draw per arm the share of stimulated patient-days at or below each charge density."""
    rows = evidence.treatment
    phase = phase_of(rows, envelope_of(evidence.manifest))
    is_on = rows["delivered_amplitude_ua"].to_numpy(dtype=float) > 0
    figure = Figure(PANEL, layout="constrained")
    axes = figure.subplots()
    spoken = []
    for arm in evidence.arms:
        chosen = is_on & (rows["arm"] == arm).to_numpy()
        values, shares = weighted(phase.values[chosen], rows["days"].to_numpy(float)[chosen])
        if not len(values):
            axes.plot([], [], label=f"{short(arm)} (never on)", **look(evidence, arm))
            spoken.append(f"{arm} never on")
            continue
        axes.plot(
            np.concatenate([[0.0], values]),
            100 * np.concatenate([[0.0], shares]),
            drawstyle="steps-post",
            markevery=max(1, len(values) // 6),
            label=short(arm),
            **look(evidence, arm),
        )
        middle = float(values[np.searchsorted(shares, 0.5)])
        spoken.append(
            f"{arm} median {number(middle)} and at most {number(float(values[-1]))} {phase.unit}"
        )
    if np.isfinite(phase.limit):
        axes.axvline(phase.limit, color=INK, linewidth=1.0, linestyle=(0, (2, 2)))
        axes.annotate(
            f"limit {phase.limit:g}",
            (phase.limit, 3),
            xytext=(-3, 0),
            textcoords="offset points",
            ha="right",
            fontsize=8,
        )
    axes.set_ylim(0, 102)
    axes.set_xlim(left=0)
    axes.set_xlabel(f"{phase.name} ({phase.unit})")
    axes.set_ylabel("stimulated patient-days (%)")
    axes.grid(axis="y")
    legend_below(figure, axes, evidence)
    limit = (
        f" The dotted line is the limit of the envelope, {phase.limit:g} {phase.unit}; Shannon's "
        "limit may bind below it."
        if np.isfinite(phase.limit)
        else " The areas of the contacts are not known here, so it is the charge and not its "
        "density."
    )
    return Drawing(
        name="density",
        title=phase.name.capitalize(),
        svg=inline_svg(
            figure, "density", f"Distribution of {phase.name}: {'; '.join(spoken) or 'none (0)'}."
        ),
        caption=f"Share of the patient-days with stimulation at or below each {phase.name}, at "
        f"the most loaded contact.{limit}",
    )


def weighted(values: Array, weights: Array) -> tuple[Array, Array]:
    """Return the different values, rising, with the share of the weight at or below each."""
    if not weights.sum():
        return np.array([]), np.array([])
    different, place = np.unique(values, return_inverse=True)
    shares = np.cumsum(np.bincount(place, weights)) / weights.sum()
    return different, shares

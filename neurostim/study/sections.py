"""The sections of the page, in their order."""

from collections.abc import Callable, Sequence

from neurostim.study.ground_sections import (
    landscape_section,
    structure_section,
    tuning_section,
)
from neurostim.study.parts import Sizes
from neurostim.study.section import Found, Section
from neurostim.study.teaching_sections import (
    clinical_section,
    curve_section,
    first_section,
    gradient_section,
    hospital_section,
)


def sections(found: Found, sizes: Sizes, seed: int) -> list[Section]:
    """Every section of which at least a part is finished."""
    makers: Sequence[Callable[[Found, Sizes, int], Section | None]] = (
        curve_section,
        hospital_section,
        gradient_section,
        first_section,
        clinical_section,
        landscape_section,
        structure_section,
        tuning_section,
    )
    made = (make(found, sizes, seed) for make in makers)
    return [section for section in made if section is not None]

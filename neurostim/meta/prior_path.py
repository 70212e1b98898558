"""Where learned priors are; nothing here needs tensors."""

from pathlib import Path

import protocols
from protocols import InputError

SUFFIX = ".safetensors"


def prior_path(name: str, folder: Path) -> Path:
    """Where a prior is: the shipped one of a name, or a path as seen from a design's folder."""
    if name.endswith(SUFFIX):
        return folder / name
    shipped = Path(protocols.__file__).parent / "priors" / (name + SUFFIX)
    if not shipped.is_file():
        known = ", ".join(sorted(each.stem for each in shipped.parent.glob("*" + SUFFIX)))
        raise InputError(f"prior = {name!r}: {known} or a path to a {SUFFIX} file was expected")
    return shipped

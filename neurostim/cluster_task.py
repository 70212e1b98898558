"""What a worker of a cluster does: it checks that it is like the driver, and runs one shard.

No folder need be shared: the files of the shard go back as bytes, and the driver writes them.
"""

import hashlib
import platform
import sys
import tempfile
import threading
from collections.abc import Mapping
from dataclasses import dataclass, replace
from functools import cache, lru_cache
from importlib import import_module
from pathlib import Path

from neurostim.meta.prior_path import SUFFIX, prior_path
from neurostim.plan import Plan, check_options, versions
from neurostim.shards import SUBFOLDERS, Shard, names_of, run_shard
from protocols import InputError

OUR_PACKAGES = ("neurostim", "patient_models", "protocols", "safety")

_ONE_AT_A_TIME = threading.Lock()
"""A worker may have several threads; a shard has the process to itself."""


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Parcel:
    """What every shard of a run needs: the plan without its patients, and the files it names.

    Two of one key are equal, since it stands for the design, the data and the versions.
    """

    plan: Plan
    key: str
    fingerprint: str
    files: Mapping[str, bytes]

    def __eq__(self, other: object) -> bool:
        return isinstance(other, Parcel) and other.key == self.key

    def __hash__(self) -> int:
        return hash(self.key)


def parcel_of(plan: Plan, key: str) -> Parcel:
    """A plan as it travels; priors beside the design go along, others must be where they are."""
    names = {str(getattr(controller, "prior", None)) for controller in plan.controllers}
    files = {
        name: prior_path(name, plan.folder).read_bytes()
        for name in sorted(names)
        if name.endswith(SUFFIX) and not Path(name).is_absolute() and ".." not in Path(name).parts
    }
    travelling = replace(plan, patients=())
    return Parcel(plan=travelling, key=key, fingerprint=plan.fingerprint(), files=files)


def identity() -> dict[str, str]:
    """What must be the same here and at the driver for the same bytes to come out."""
    return {
        "Python": ".".join(map(str, sys.version_info[:2])),
        "processor": platform.machine(),
        **versions(),
        "code": code_digest(),
    }


@cache
def code_digest() -> str:
    """SHA-256 over the source of our packages: two versions under one number are told apart."""
    digest = hashlib.sha256()
    for name in OUR_PACKAGES:
        root = Path(str(import_module(name).__file__)).parent
        for path in sorted(root.rglob("*.py")):
            content = path.read_bytes()
            digest.update(f"{name}/{path.relative_to(root).as_posix()} {len(content)}\n".encode())
            digest.update(content)
    return digest.hexdigest()[:16]


def differences(ours: Mapping[str, str], theirs: Mapping[str, str | None]) -> str:
    """In which of what both name they differ, as a part of a sentence; empty when in nothing."""
    return ", ".join(
        f"{name} {theirs[name] or 'absent'} instead of {value}"
        for name, value in ours.items()
        if name in theirs and theirs[name] != value
    )


def run_task(driver: Mapping[str, str], parcel: Parcel, shard: Shard) -> dict[str, bytes]:
    """Run one shard in a folder of its own; returns its files but the seal.

    Raises `InputError` when this worker is not like the driver, or lacks what the plan names.
    """
    if wrong := differences(driver, identity()):
        raise InputError(f"worker on {platform.node()}: {wrong}")
    with _ONE_AT_A_TIME:
        import torch

        torch.set_num_threads(1)
        plan = _unpacked(parcel)
        with tempfile.TemporaryDirectory(prefix="neurostim-shard-") as scratch:
            folder = Path(scratch)
            for name in SUBFOLDERS:
                (folder / name).mkdir()
            for _ in run_shard(plan, shard, folder, parcel.key):
                pass
            return {name: (folder / name).read_bytes() for name in names_of(shard.block, shard.arm)}


@lru_cache(maxsize=2)
def _unpacked(parcel: Parcel) -> Plan:
    """The plan of a parcel, checked, with the files put where it finds them."""
    import torch

    plan = parcel.plan
    if plan.compute == "cuda" and not torch.cuda.is_available():
        raise InputError(f"worker on {platform.node()}: compute = 'cuda', and there is no GPU")
    if parcel.files:
        folder = Path(tempfile.mkdtemp(prefix="neurostim-files-"))
        for name, file in parcel.files.items():
            (folder / name).parent.mkdir(parents=True, exist_ok=True)
            (folder / name).write_bytes(file)
        plan = replace(plan, folder=folder)
    try:
        if plan.fingerprint() != parcel.fingerprint:
            raise InputError("a file that the design names has another content here")
        for arm, controller in zip(plan.design.arms, plan.controllers, strict=True):
            check_options(arm.name, controller, plan.context)
    except (InputError, OSError) as error:
        raise InputError(f"worker on {platform.node()}: {error}") from None
    return plan

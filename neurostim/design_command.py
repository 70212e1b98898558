"""Writing a design and checking one: `neurostim design new` and `check`."""

import re
from importlib.resources import files
from pathlib import Path
from typing import Annotated

import typer

from protocols import InputError

design = typer.Typer(help="Write a trial's design, or check one.", no_args_is_help=True)


@design.command()
def new(
    name: Annotated[str, typer.Argument(help="The design's name: small letters, digits, hyphens.")],
    out: Annotated[Path | None, typer.Option(help="The file.  [default: NAME.toml]")] = None,
) -> None:
    """Write a commented design that runs as it is, with a sham and a population-best arm."""
    if not re.fullmatch(r"[a-z0-9][a-z0-9-]{0,63}", name):
        raise InputError(f"name {name!r}: up to 64 small letters, digits and hyphens were expected")
    path = Path(f"{name}.toml") if out is None else out
    text = (files("protocols") / "new_design.toml").read_text(encoding="utf-8")
    try:
        with path.open("x", encoding="utf-8") as file:
            file.write(text.replace("NAME", name))
    except FileExistsError:
        raise InputError(f"{path} is there already: another file was expected") from None
    except OSError as error:
        raise InputError(f"{path}: cannot be written ({error.strerror})") from None
    print(f"{path}: a design that runs as it is. neurostim run {path}")


@design.command()
def check(
    file: Annotated[str, typer.Argument(help="A TOML file, or a shipped design's name.")],
) -> None:
    """Say everything that is wrong with a design, with the line; exits with 2 if anything is."""
    from neurostim.design_check import check_design
    from protocols.design import load_design

    remarks = check_design(file)
    for remark in remarks:
        word = "warning: " if remark.is_warning else ""
        print(f"{file}, line {remark.line}: {word}{remark.sentence}")
    n_faults = sum(not remark.is_warning for remark in remarks)
    if n_faults:
        print(f"{n_faults} {'fault' if n_faults == 1 else 'faults'}: this design does not run.")
        raise typer.Exit(2)
    print(f"{file}: a valid design, fingerprint {load_design(file).fingerprint()}")

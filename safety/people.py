"""Who may change what: tightening takes one person, loosening two with two roles."""

from dataclasses import dataclass
from enum import StrEnum
from unicodedata import normalize

from protocols import InputError


class Role(StrEnum):
    """In what capacity a person acts."""

    CLINICIAN = "clinician"
    SAFETY_OFFICER = "safety-officer"


@dataclass(frozen=True, slots=True)
class Person:
    """Somebody who answers for a change; raises `InputError` without a name and a role."""

    name: str
    role: Role

    def __post_init__(self) -> None:
        if type(self.name) is not str or not self.name.strip():
            raise InputError(f"name = {self.name!r}: the name of a person was expected")
        if type(self.role) is not Role:
            raise InputError(f"role = {self.role!r}: {', '.join(Role)} were expected")


def is_person(each: object) -> bool:
    """Whether this is exactly a person with a name and a role, as one made by force is not."""
    if type(each) is not Person:
        return False
    return type(getattr(each, "name", None)) is str and type(getattr(each, "role", None)) is Role


def letters_of(name: str) -> str:
    """Return what tells a name from another: its letters and digits, in whatever way written."""
    return "".join(each for each in normalize("NFKC", name).casefold() if each.isalnum())


def check_person(by: tuple[Person, ...], what: str) -> None:
    """Raise `InputError` unless at least one person answers for `what`."""
    if type(by) is not tuple or not all(is_person(each) for each in by):
        raise InputError(f"{what}: a tuple of persons was expected")
    if not by:
        raise InputError(f"{what} takes a person: nobody was named")


def check_two_roles(by: tuple[Person, ...], what: str) -> None:
    """Raise `InputError` unless two different people in two different roles answer for `what`."""
    check_person(by, what)
    people = {(letters_of(each.name), each.role) for each in by}
    for name, role in people:
        if any(name != other and role is not other_role for other, other_role in people):
            return
    named = ", ".join(f"{each.name} ({each.role})" for each in by)
    raise InputError(f"{what} takes two people in two roles: {named} was given")

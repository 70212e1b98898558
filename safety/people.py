"""Who may change what: tightening takes one person, loosening two with two roles."""

from dataclasses import dataclass
from enum import StrEnum

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


def check_person(by: tuple[Person, ...], what: str) -> None:
    """Raise `InputError` unless at least one person answers for `what`."""
    if type(by) is not tuple or any(type(each) is not Person for each in by):
        raise InputError(f"{what}: a tuple of persons was expected")
    if not by:
        raise InputError(f"{what} takes a person: nobody was named")


def check_two_roles(by: tuple[Person, ...], what: str) -> None:
    """Raise `InputError` unless two different people in two different roles answer for `what`."""
    check_person(by, what)
    people = {(" ".join(each.name.split()).casefold(), each.role) for each in by}
    for name, role in people:
        if any(name != other and role is not other_role for other, other_role in people):
            return
    named = ", ".join(f"{each.name} ({each.role})" for each in by)
    raise InputError(f"{what} takes two people in two roles: {named} was given")

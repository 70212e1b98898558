"""Contacts and how the current is spread over them, in tuples that nobody can change."""

from collections.abc import Iterable
from typing import Any, NamedTuple, Self

LARGEST_NUMBER = 10**12
LONGEST_NAME = 100


class Sealed(type):
    """The class of classes that nobody can change once they are made."""

    def __setattr__(cls, name: str, value: object) -> None:
        raise AttributeError(f"{cls.__name__}.{name} cannot be changed")

    def __delattr__(cls, name: str) -> None:
        raise AttributeError(f"{cls.__name__}.{name} cannot be removed")


class ContactFields(NamedTuple):
    """The fields of a contact, before they are checked."""

    name: str
    lead: str
    area_um2: int


class Contact(ContactFields, metaclass=Sealed):
    """One electrode contact: the lead it sits on and its area."""

    __slots__ = ()
    name, lead, area_um2 = ContactFields.name, ContactFields.lead, ContactFields.area_um2

    def __new__(cls, name: str, lead: str, area_um2: int) -> Self:
        """Return a contact; raise `ValueError` naming the field and the value."""
        check_text("contact name", name)
        check_text("contact lead", lead)
        check_number("area_um2", area_um2, 1)
        return super().__new__(cls, name, lead, area_um2)

    @classmethod
    def _make(cls, values: Iterable[Any]) -> Self:  # type: ignore[override]  # it checks
        return cls(*values)


class MontageFields(NamedTuple):
    """The fields of a montage, before they are checked."""

    name: str
    shares_permille: tuple[int, ...]


class Montage(MontageFields, metaclass=Sealed):
    """One way of spreading the current: a share for each contact, 0 where unused."""

    __slots__ = ()
    name, shares_permille = MontageFields.name, MontageFields.shares_permille

    def __new__(cls, name: str, shares_permille: tuple[int, ...]) -> Self:
        """Return a montage; raise `ValueError` naming the field and the value."""
        check_text("montage name", name)
        check_tuple("shares_permille", shares_permille)
        for share in shares_permille:
            check_number("shares_permille", share, 0, 1000)
        return super().__new__(cls, name, shares_permille)

    @classmethod
    def _make(cls, values: Iterable[Any]) -> Self:  # type: ignore[override]  # it checks
        return cls(*values)


class Load(NamedTuple):
    """What one used contact of a montage carries, and the most charge it may carry in one phase."""

    contact: str
    share_permille: int
    max_charge_pc: int


def check_tuple(name: str, value: object) -> None:
    """Raise unless a list is a tuple, which nobody can add to later."""
    if type(value) is not tuple:
        raise ValueError(f"{name} = {value!r}: a tuple was expected")


def check_text(name: str, value: object) -> None:
    """Raise unless `value` is a text of one line that is not empty, nor longer than a name."""
    if type(value) is not str or not value:
        raise ValueError(f"{name} = {value!r}: a text was expected")
    if len(value) > LONGEST_NAME or not value.isprintable():
        raise ValueError(
            f"{name} = {value!r:.100}: one line of up to {LONGEST_NAME} characters was expected"
        )


def check_number(name: str, value: object, lowest: int, highest: int = LARGEST_NUMBER) -> None:
    """Raise unless `value` is exactly an int within its bounds."""
    if type(value) is not int:
        raise ValueError(f"{name} = {value!r}: a whole number was expected")
    if not lowest <= value <= highest:
        raise ValueError(f"{name} = {value}: {lowest} to {highest} was expected")

"""Options of controllers: typed fields of a frozen dataclass, checked when it is built."""

from collections.abc import Mapping
from typing import Annotated, Any, TypeVar, cast, dataclass_transform

import pydantic

from protocols import Mode, Setting

Class = TypeVar("Class")


@dataclass_transform(frozen_default=True, kw_only_default=True)
def options(cls: type[Class]) -> type[Class]:
    """A frozen keyword-only dataclass that refuses unknown options and values of another type."""
    strict = pydantic.ConfigDict(strict=True, extra="forbid", allow_inf_nan=False)
    decorate = pydantic.dataclasses.dataclass(frozen=True, kw_only=True, config=strict)
    return cast(type[Class], decorate(cls))


def _setting(value: Any) -> Any:
    if not isinstance(value, Mapping):
        return value
    fields = dict(value)
    try:
        if "mode" in fields:
            fields["mode"] = Mode(fields["mode"])
        return Setting(**fields)
    except TypeError as error:
        raise ValueError(str(error).removeprefix("Setting.__init__() ")) from None


SettingOption = Annotated[Setting, pydantic.BeforeValidator(_setting)]
"""A setting written as a table of its fields."""

"""As pyright sees mypy's native integers: plain ones, which they are when interpreted."""

from collections.abc import Callable
from typing import TypeVar

i64 = int
i32 = int
u8 = int
_Class = TypeVar("_Class")

def mypyc_attr(*, allow_interpreted_subclasses: bool = ...) -> Callable[[_Class], _Class]: ...

"""Classes of fields that cannot be changed, against those of the standard library."""

from __future__ import annotations

import copy
import inspect
import pickle
import re
from dataclasses import FrozenInstanceError, asdict, dataclass, field, fields, replace
from functools import cached_property
from typing import ClassVar

import pytest

from kstest.frozen import frozen


def parameters(kind):
    found = inspect.signature(kind).parameters.values()
    return [(p.name, p.kind, p.annotation, p.default is p.empty) for p in found]


def pair(make, make_named):
    """The same two classes by either decorator."""

    @make
    class Base:
        "A base."

        kind: ClassVar[int] = 1
        a: int
        b: list = field(default_factory=list)

    @make_named
    class Point(Base):
        "A point."

        c: float
        hidden: int = field(default=5, repr=False, compare=False)
        late: int = field(init=False, default=0)
        found: list = field(init=False, default_factory=list)

        def __post_init__(self):
            object.__setattr__(self, "late", self.a + 1)

        @cached_property
        def twice(self):
            return 2 * self.a

    Base.__qualname__, Point.__qualname__ = "Base", "Point"
    return Base, Point


OURS = pair(frozen, frozen(kw_only=True))
THEIRS = pair(dataclass(frozen=True), dataclass(frozen=True, kw_only=True))


@frozen
class Kept:
    """A class of a module, so that it can be pickled."""

    value: tuple
    name: str = "x"


def test_what_it_shows_and_how_it_compares_is_the_standard_librarys():
    for ours, theirs in zip(OURS, THEIRS, strict=True):
        given = {"a": 3, "b": [1]} | ({"c": 0.5} if ours is OURS[1] else {})
        mine, other = ours(**given), theirs(**given)
        assert repr(mine) == repr(other)
        assert asdict(mine) == asdict(other)
        assert [f.name for f in fields(mine)] == [f.name for f in fields(other)]
        assert mine == ours(**given)
        assert replace(mine, a=4) != mine
        assert mine != other
        assert asdict(replace(mine, a=4)) == asdict(replace(other, a=4))
        assert list(vars(mine)) == list(vars(other))
        assert parameters(ours) == parameters(theirs)
        with pytest.raises(TypeError, match="unhashable"):
            hash(mine)
    Point = OURS[1]
    assert Point(a=1, c=2.0, hidden=1) == Point(a=1, c=2.0, hidden=2)
    assert Point(a=1, c=2.0).twice == 2
    with pytest.raises(TypeError):
        Point(1, [], 2.0)
    assert hash(Kept((1,))) == hash(Kept((1,), "x"))
    assert {Kept((1,)): 1}[Kept((1,))] == 1


@pytest.mark.parametrize("name", ["value", "name", "other"])
def test_nothing_can_be_changed(name):
    kept = Kept((1, 2))
    with pytest.raises(FrozenInstanceError, match=name):
        setattr(kept, name, 3)
    with pytest.raises(FrozenInstanceError, match=name):
        delattr(kept, name)
    assert kept == Kept((1, 2), "x")


@pytest.mark.parametrize(
    ("args", "given", "fault"),
    [
        ((), {}, "missing required arguments: 'value'"),
        ((), {"name": "y"}, "missing required arguments: 'value'"),
        ((1, 2, 3), {}, "takes 2 positional arguments but 3 were given"),
        ((1,), {"value": 2}, "got multiple values for argument 'value'"),
        ((1,), {"other": 2}, "got an unexpected keyword argument 'other'"),
    ],
)
def test_arguments_that_are_none_are_named(args, given, fault):
    with pytest.raises(TypeError, match=re.escape(f"Kept.__init__() {fault}")):
        Kept(*args, **given)


def test_a_field_may_have_any_name():
    @frozen
    class Odd:
        "A class whose fields are called as arguments are elsewhere."

        self: int
        args: int
        given: int = 3

    assert asdict(Odd(self=1, args=2)) == {"self": 1, "args": 2, "given": 3}


def test_copies_are_equal():
    kept = Kept((1, 2), "y")
    assert pickle.loads(pickle.dumps(kept)) == copy.deepcopy(kept) == copy.copy(kept) == kept


def test_methods_of_a_class_stay_its_own():
    @frozen
    class Quiet:
        "Says nothing."

        a: int

        def __repr__(self):
            return "quiet"

        def __eq__(self, other):
            return True

        def __hash__(self):
            return 7

    assert repr(Quiet(1)) == "quiet"
    assert Quiet(1) == 3
    assert hash(Quiet(2)) == 7

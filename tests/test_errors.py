"""errors: one tree to catch, and a message that lists what is wrong."""

import re

import pytest

from defectseg import errors
from defectseg.errors import DataError, DefectsegError, OffendersError, SourceError


def subclasses(kind: type[Exception]) -> list[type[Exception]]:
    direct = kind.__subclasses__()
    return direct + [below for child in direct for below in subclasses(child)]


def test_the_drawn_tree_names_every_error_once():
    drawn = re.findall(r"── (\w+)", errors.__doc__ or "")
    declared = [e.__name__ for e in subclasses(DefectsegError) if e.__module__ == errors.__name__]
    assert sorted(drawn) == sorted(declared)


def test_the_drawn_tree_shows_what_is_below_data_error():
    below = re.findall(r"│   [├└]── (\w+)", errors.__doc__ or "")
    assert below == [error.__name__ for error in DataError.__subclasses__()]


def test_whoever_catches_data_errors_catches_a_bad_source():
    with pytest.raises(DataError):
        raise SourceError("the archive cannot be opened")


def test_offenders_are_listed_under_what_is_wrong_and_before_what_to_do():
    error = OffendersError("pictures without a mask", ["a.jpg", "b.jpg"], "draw their masks")
    assert str(error) == "pictures without a mask (2):\n  a.jpg\n  b.jpg\ndraw their masks"


def test_twenty_offenders_are_all_listed():
    lines = str(OffendersError("bad", [f"p{n}" for n in range(20)], "fix")).splitlines()
    assert lines == ["bad (20):", *(f"  p{n}" for n in range(20)), "fix"]


def test_of_more_than_twenty_the_others_are_counted():
    error = OffendersError("bad", [f"p{n}" for n in range(23)], "fix")
    lines = str(error).splitlines()
    assert lines[0] == "bad (23):"
    assert lines[20:] == ["  p19", "  … and 3 more", "fix"]
    assert len(error.offenders) == 23

"""Every reason to refuse has one number, one name and one sentence."""

import re
from string import Formatter

import pytest

from matching import rejects
from matching.rejects import TEMPLATES, Reject

CODES = {
    name: value for name, value in vars(rejects).items() if name.isupper() and name != "TEMPLATES"
}


def test_every_code_is_a_number_of_three_digits_and_none_is_given_twice() -> None:
    assert CODES
    assert all(type(code) is int and 100 < code < 1_000 for code in CODES.values())
    assert len(CODES) == len(frozenset(CODES.values()))


def test_every_code_has_a_template_and_every_template_a_code() -> None:
    assert sorted(TEMPLATES) == sorted(CODES.values())


def test_templates_stand_in_the_order_of_their_codes() -> None:
    assert list(TEMPLATES) == sorted(TEMPLATES)


def test_names_are_told_apart() -> None:
    names = [name for name, _ in TEMPLATES.values()]
    assert len(names) == len(frozenset(names))
    assert all(re.fullmatch(r"[a-z][A-Za-z -]*[A-Za-z]", name) for name in names)


def test_sentences_are_told_apart() -> None:
    sentences = [sentence for _, sentence in TEMPLATES.values()]
    assert len(sentences) == len(frozenset(sentences))


@pytest.mark.parametrize("code", CODES.values(), ids=CODES.keys())
def test_a_reject_says_what_was_got_and_what_is_allowed(code: int) -> None:
    reject = Reject(code, -1_234_567, 7_654_321)
    named = frozenset(field for _, field, _, _ in Formatter().parse(TEMPLATES[code][1]) if field)
    assert named <= {"got", "allowed"}
    assert ("-1234567" in reject.message) == ("got" in named)
    assert ("7654321" in reject.message) == ("allowed" in named)
    assert "{" not in reject.message
    assert reject.name == TEMPLATES[code][0]
    assert Reject(code).message, "it can be told without numbers"
    # Two integers on the wire: nothing else is in it.
    assert reject == (code, -1_234_567, 7_654_321)


def test_an_unknown_code_is_a_bug() -> None:
    with pytest.raises(KeyError):
        _ = Reject(999).message

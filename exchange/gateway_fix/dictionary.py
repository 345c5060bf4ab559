"""Which fields each message of FIX 4.4 has, and how their values are written: what a session-level
Reject (3) is about.

Holds: the standard's tags, types and codes for the messages that this door reads; every other
message type of the standard is known by its name alone. The user's own tags are those of
`tags.py`. Values are checked for their form and code, not for their meaning.
Never: raises; a fault is a value.
"""

import re
from collections.abc import Callable, Iterable, Mapping
from string import ascii_lowercase, ascii_uppercase
from types import MappingProxyType
from typing import Final, NamedTuple

from exchange.gateway_fix import tags
from exchange.gateway_fix.message import DATA_LENGTHS, Message


class Fault(NamedTuple):
    """Why a message is refused at session level: SessionRejectReason (373) and RefTagID (371);
    the tag may be no number of a tag, and None where there is none to name.
    """

    reason: int
    tag: str | None


class Group(NamedTuple):
    """A repeating group: its members, of which the first begins each entry."""

    first: int
    members: frozenset[int]
    groups: "Mapping[int, Group]" = MappingProxyType({})


class Layout(NamedTuple):
    """A message's body."""

    required: tuple[int, ...]
    fields: frozenset[int]
    groups: Mapping[int, Group] = MappingProxyType({})


def _numbers(text: str) -> frozenset[int]:
    """`1 5-7` as {1, 5, 6, 7}."""
    found: set[int] = set()
    for part in text.split():
        low, _, high = part.partition("-")
        found.update(range(int(low), int(high or low) + 1))
    return frozenset(found)


# How values are written ------------------------------------------------------------------------

_WHOLE: Final = re.compile(r"-?[0-9]{1,18}")
_NATURAL: Final = re.compile(r"[0-9]{1,18}")
_DECIMAL: Final = re.compile(r"-?[0-9]{1,20}(\.[0-9]{0,15})?|-?\.[0-9]{1,15}")
_TIMESTAMP: Final = re.compile(
    r"[0-9]{4}(0[1-9]|1[0-2])(0[1-9]|[12][0-9]|3[01])"
    r"-([01][0-9]|2[0-3]):[0-5][0-9]:([0-5][0-9]|60)(\.[0-9]{3,9})?"
)
_DATE: Final = re.compile(r"[0-9]{4}(0[1-9]|1[0-2])(0[1-9]|[12][0-9]|3[01])")
_MONTH: Final = re.compile(r"[0-9]{4}(0[1-9]|1[0-2])([0-3][0-9]|w[1-5])?")

_NATURALS: Final = _numbers(
    "7 9 16 34 36 45 78 90 93 95 212 232 348 350 354 362 364 369 383 384 386 453 454 457 539 627 "
    "711 789 802 804 864 887"
)
_WHOLES: Final = _numbers(
    "98 108 201 203 226 244 315 371 373 380 423 427 452 460 462 538 581 582 660 661 663 698 775 "
    "788 803 805 835-838 840-844 846 847 854 865 875 919"
)
_DECIMALS: Final = _numbers(
    "6 12 14 31 32 38 44 80 99 110 111 140 151 152 192 202 210 211 218 223 227 228 231 236 245 246 "
    "316 389 435 436 469 516 640 662 697 810 849 867 879 882-886 898"
)
_TIMESTAMPS: Final = _numbers("52 60 122 126 168 586 629")
_DATES: Final = _numbers(
    "64 75 193 224 225 229 240-242 247 432 541 542 696 701 866 873 874 915-917"
)
_MONTHS: Final = _numbers("200 313 667")
_BOOLEANS: Final = _numbers("43 97 114 121 123 141 377 464")


def _forms() -> dict[int, Callable[[str], object]]:
    """By tag, what tells whether a value has the form of the tag's type; text has none."""
    forms: dict[int, Callable[[str], object]] = {}
    for group, form in (
        (_NATURALS, _NATURAL),
        (_WHOLES, _WHOLE),
        (_DECIMALS, _DECIMAL),
        (_TIMESTAMPS, _TIMESTAMP),
        (_DATES, _DATE),
        (_MONTHS, _MONTH),
    ):
        forms.update(dict.fromkeys(group, form.fullmatch))
    forms.update(dict.fromkeys(_BOOLEANS, frozenset("YN").__contains__))
    return forms


_FORMS: Final = _forms()

_SECURITY_TYPES: Final = (
    "EUSUPRA FAC FADN PEF SUPRA CORP CPP CB DUAL EUCORP XLINKD STRUCT YANK FOR CS PS BRADY EUSOV "
    "TBOND TINT TIPS TCAL TPRN UST USTB TNOTE TBILL REPO FORWARD BUYSELL SECLOAN SECPLEDGE TERM "
    "RVLV RVLVTRM BRIDGE LOFC SWING DINP DEFLTED WITHDRN REPLACD MATURED AMENDED RETIRED BA BN BOX "
    "CD CL CP DN EUCD EUCP LQN MTN ONITE PN PZFJ STN TD XCN YCD ABS CMBS CMO IET MBS MIO MPO MPP "
    "MPT PFAND TBA AN COFO COFP GO MT RAN REV SPCLA SPCLO SPCLT TAN TAXA TECP TRAN VRDN WAR MF "
    "MLEG NONE FUT OPT ?"
)

_CODES: Final[dict[int, frozenset[str]]] = {
    tag: frozenset(codes.split())
    for tag, codes in {
        13: "1 2 3 4 5 6",
        21: "1 2 3",
        22: "1 2 3 4 5 6 7 8 9 A B C D E F G H I J",
        40: "1 2 3 4 6 7 8 9 D E G I J K L M P",
        54: "1 2 3 4 5 6 7 8 9 A B C D E F G",
        59: "0 1 2 3 4 5 6 7",
        63: "0 1 2 3 4 5 6 7 8 9",
        77: "O C R F",
        81: "0 1 2 3 4 5 6",
        98: "0 1 2 3 4 5 6",
        167: _SECURITY_TYPES,
        201: "0 1",
        203: "0 1",
        388: "0 1 2 3 4 5 6",
        423: "1 2 3 4 5 6 7 8 9 10 11",
        427: "0 1 2",
        468: "0 1 2",
        480: "Y N M O",
        481: "Y N 1 2 3",
        497: "Y N",
        528: "A G I P R W",
        544: "1 2 3",
        581: "1 2 3 4 6 7 8",
        582: "1 2 3 4",
        589: "0 1 2",
        590: "0 1 2",
        591: "0 1",
        775: "0 1 2",
        788: "1 2 3 4",
        854: "0 1",
    }.items()
}
"""The codes that a tag may have, where the standard lists them."""

# What messages have ----------------------------------------------------------------------------

_UNUSED_TAGS: Final = _numbers(
    "20 24 46 47 51 76 86 92 101 105 109 125 166 173-187 204 205 219 261 314 319 370 439 440 449 "
    "450 465 653 685 809 831"
)
_LAST_TAG: Final = 956
"""The highest tag of FIX 4.4."""

_HEADER: Final = _numbers(
    "8 9 35 49 56 115 128 90 91 34 50 142 57 143 116 144 129 145 43 97 52 122 212 213 347 369 627 "
    "628 629 630"
)
_HOPS: Final = _numbers("628 629 630")
"""The header's own repeating group, NoHops (627)."""
_TRAILER: Final = _numbers("93 89 10")
_REQUIRED_HEADER: Final = (49, 56, 34, 52)

_PARTY_SUBS: Final = Group(523, _numbers("523 803"))
_PARTIES: Final = Group(448, _numbers("447 448 452 802"), {802: _PARTY_SUBS})
_NESTED_PARTIES: Final = Group(
    524, _numbers("524 525 538 804"), {804: Group(545, _numbers("545 805"))}
)
_ALLOCATIONS: Final = Group(79, _numbers("79 80 467 539 661 736"), {539: _NESTED_PARTIES})
_STIPULATIONS: Final = Group(233, _numbers("233 234"))
_UNDERLYINGS: Final = Group(
    311,
    _numbers(
        "241-247 256 305-313 315-318 362-365 435 436 457 462 463 542 592-595 763 810 877-879 "
        "882-887 941"
    ),
    {457: Group(458, _numbers("458 459")), 887: Group(888, _numbers("888 889"))},
)
_INSTRUMENT: Final = _numbers(
    "22 48 55 106 107 167 200-202 206 207 223-228 231 239 240 255 348-351 454 460 461 470-472 541 "
    "543 667 691 762 864 873-876"
)
_INSTRUMENT_GROUPS: Final = {
    454: Group(455, _numbers("455 456")),
    864: Group(865, _numbers("865-868")),
}
_ORDER_FIELDS: Final = _INSTRUMENT | _numbers(
    "1 11-13 15 18 21 23 38 40 44 54 58-60 63-65 70 75 77 78 81 99 100 110 111 114 117 120 121 126 "
    "140 152 168 192 193 203 210 211 218 220-222 229 232 235 236 354 355 376 377 386 388 389 423 "
    "427 432 453 468 469 479-481 494 497 513 516 526 528 529 544 581-583 589-591 635 640 660 662 "
    "663 696-699 701 711 761 775 788 835-838 840-844 846-849 854 898 913-919 947 20001-20006"
)
_ORDER_GROUPS: Final = {
    78: _ALLOCATIONS,
    232: _STIPULATIONS,
    386: Group(336, _numbers("336 625")),
    453: _PARTIES,
    711: _UNDERLYINGS,
    **_INSTRUMENT_GROUPS,
}
_CANCEL_FIELDS: Final = _INSTRUMENT | _numbers(
    "1 11 37 38 41 54 58 60 65 66 152 354 355 376 453 468 516 526 581 583 586 660 711 788 898 "
    "913-919 947 20005"
)
_LOGON_GROUPS: Final = {384: Group(372, _numbers("372 385"))}

LAYOUTS: Final[dict[str, Layout]] = {
    tags.HEARTBEAT: Layout((), _numbers("112")),
    tags.TEST_REQUEST: Layout((112,), _numbers("112")),
    tags.RESEND_REQUEST: Layout((7, 16), _numbers("7 16")),
    tags.REJECT: Layout((45,), _numbers("45 58 354 355 371-373")),
    tags.SEQUENCE_RESET: Layout((36,), _numbers("36 123")),
    tags.LOGOUT: Layout((), _numbers("58 354 355")),
    tags.LOGON: Layout(
        (98, 108), _numbers("95 96 98 108 141 383 384 464 553 554 789"), _LOGON_GROUPS
    ),
    tags.NEW_ORDER_SINGLE: Layout((11, 54, 60, 40, 55), _ORDER_FIELDS, _ORDER_GROUPS),
    tags.ORDER_CANCEL_REPLACE_REQUEST: Layout(
        (11, 54, 60, 40, 55), _ORDER_FIELDS | _numbers("37 41 66 586"), _ORDER_GROUPS
    ),
    tags.ORDER_CANCEL_REQUEST: Layout(
        (11, 54, 60), _CANCEL_FIELDS, {453: _PARTIES, 711: _UNDERLYINGS, **_INSTRUMENT_GROUPS}
    ),
}
"""The messages that are checked. Cancel and replace may name the order by OrderID (37) alone,
where the standard asks for OrigClOrdID (41).
"""

MESSAGE_TYPES: Final = (
    frozenset("0123456789ABCDEFGHJKLMNPQRSTVWXYZ" + ascii_lowercase)
    | {f"A{letter}" for letter in ascii_uppercase}
    | {f"B{letter}" for letter in "ABCDEFGH"}
)
"""All message types of FIX 4.4."""

_DATA_TAGS: Final = frozenset(DATA_LENGTHS.values())


def find_fault(message: Message) -> Fault | None:
    """The first thing that is wrong with a message as a message of the standard, or None."""
    if message.type not in MESSAGE_TYPES:
        return Fault(tags.INVALID_MSG_TYPE, None)
    if message.bad_field is not None:
        bad = message.bad_field
        return Fault(tags.INVALID_TAG, bad if _WHOLE.fullmatch(bad) else None)
    for tag, value in message.fields:
        if not value:
            return Fault(tags.TAG_WITHOUT_VALUE, str(tag))
    missing = _first_missing(message, _REQUIRED_HEADER)
    if missing is not None:
        return missing
    layout = LAYOUTS.get(message.type)
    fault = _find_order_fault(message, None if layout is None else layout.fields)
    if fault is not None or layout is None:
        return fault
    return (
        _find_body_fault(message, layout)
        or _first_missing(message, layout.required)
        or _find_value_fault(message)
    )


def _first_missing(message: Message, required: Iterable[int]) -> Fault | None:
    for tag in required:
        if message.get(tag) is None:
            return Fault(tags.REQUIRED_TAG_MISSING, str(tag))
    return None


def _find_order_fault(message: Message, body: frozenset[int] | None) -> Fault | None:
    """Header, body and trailer must follow one another. Which tags of the body are known is told
    by `_find_body_fault`; of a message without a layout, only header and trailer are looked at.
    """
    in_body = False
    for tag, value in message.fields:
        if tag in _HEADER and (body is None or tag not in body):
            if in_body:
                return Fault(tags.TAG_OUT_OF_ORDER, str(tag))
            form = _FORMS.get(tag)
            if form is not None and not form(value):
                return Fault(tags.INCORRECT_FORMAT, str(tag))
        elif tag not in _TRAILER:
            in_body = True
    return None


def _find_body_fault(message: Message, layout: Layout) -> Fault | None:
    """Tags that are unknown, belong to another message or stand twice, and group counts."""
    fields = message.fields
    seen: set[int] = set()
    at = 0
    while at < len(fields):
        tag, value = fields[at]
        at += 1
        if tag in seen and tag not in _HOPS:
            return Fault(tags.TAG_TWICE, str(tag))
        seen.add(tag)
        if tag in _HEADER or tag in _TRAILER:
            continue
        if tag not in layout.fields:
            is_defined = tag <= _LAST_TAG and tag not in _UNUSED_TAGS
            reason = tags.TAG_NOT_FOR_TYPE if is_defined else tags.INVALID_TAG
            return Fault(reason, str(tag))
        group = layout.groups.get(tag)
        if group is not None:
            at, entries = _pass_group(message, at, group)
            if not _NATURAL.fullmatch(value):
                return Fault(tags.INCORRECT_FORMAT, str(tag))
            if entries != int(value):
                return Fault(tags.GROUP_COUNT_WRONG, str(tag))
    return None


def _pass_group(message: Message, at: int, group: Group) -> tuple[int, int]:
    """Where the entries of a group that begin at `at` end, and how many there are; -1 where an
    entry has a field twice or a wrong count of its own.
    """
    fields = message.fields
    entries = 0
    seen: set[int] = set()
    is_wrong = False
    while at < len(fields) and fields[at][0] in group.members:
        tag, value = fields[at]
        at += 1
        if tag == group.first:
            entries += 1
            seen = {tag}
        elif tag in seen or not entries:
            is_wrong = True
        seen.add(tag)
        nested = group.groups.get(tag)
        if nested is not None:
            at, count = _pass_group(message, at, nested)
            is_wrong |= not _NATURAL.fullmatch(value) or count != int(value)
    return at, -1 if is_wrong else entries


def _find_value_fault(message: Message) -> Fault | None:
    for tag, value in message.fields:
        form = _FORMS.get(tag)
        if form is not None and not form(value):
            return Fault(tags.INCORRECT_FORMAT, str(tag))
        codes = _CODES.get(tag)
        if codes is not None and value not in codes:
            return Fault(tags.VALUE_INCORRECT, str(tag))
    return None

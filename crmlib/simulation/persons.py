"""Names, addresses and second ids: what tells a person from another, with the errors of those who type."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from crmlib.simulation.customers import People
from crmlib.simulation.world import World, only_where

_FIRST = "Anna Ben Carla David Elena Felix Greta Hugo Ida Jan Klara Luis Maria Nils Olga Paul Rosa Simon Tina Viktor"
_LAST = (
    "Albrecht Bernard Czerny Dubois Ehlers Fischer Girard Hoffmann Ivanov Janssen Kowalski Lambert Meyer Nowak "
    "Otto Petit Richter Schmidt Thomas Vogel Wagner Zielinska Bauer Moreau Lehmann Krause Marchand Wozniak"
)
FIRST, LAST = np.array(_FIRST.split(), dtype=object), np.array(_LAST.split(), dtype=object)
SECOND_ID_SHARE, UNDER_SECOND_ID, SECOND_ID_OFFSET = 0.03, 0.4, 5_000_000


@dataclass
class Persons:
    """Personal fields of a block, one position each, and those of the second ids; `row` is the customer's."""

    customer_id: np.ndarray
    name: np.ndarray
    email: np.ndarray
    phone: np.ndarray
    has_second: np.ndarray
    second_row: np.ndarray
    second_id: np.ndarray
    second_name: np.ndarray
    second_email: np.ndarray
    second_phone: np.ndarray


def customer_ids(index: np.ndarray) -> np.ndarray:
    """Ids of customers by their index."""
    return np.array([f"C{number:07d}" for number in (index + 1).tolist()], dtype=object)


def persons(world: World, people: People) -> Persons:
    """Everybody's personal fields, and the second ids of those who have one."""
    streams, index = world.streams, people.index
    given = FIRST[(streams.uniform("name", index, 0) * len(FIRST)).astype(int)]
    family = LAST[(streams.uniform("name", index, 1) * len(LAST)).astype(int)]
    numbers = (1e6 * streams.uniform("phone", index)).astype(int).tolist()
    tags = (index + 1).tolist()
    name = given + " " + family
    email = _text(f"{a}.{b}{tag}@mail.example".lower() for a, b, tag in zip(given, family, tags, strict=True))
    phone = _text(f"+49 30 0{number:06d}" for number in numbers)
    has_second = streams.uniform("second id", index) < SECOND_ID_SHARE * world.effects["data_errors"]
    second = np.flatnonzero(has_second)
    place = streams.uniform("typing error", index[second]).tolist()
    mistyped = _text(_mistype(written, at) for written, at in zip(name[second], place, strict=True))
    keeps_mail = streams.uniform("second mail", index[second]) < 0.6
    other = _text(
        f"{a[0]}.{b}{tag}@post.example".lower()
        for a, b, tag in zip(given[second], family[second], np.array(tags)[second].tolist(), strict=True)
    )
    return Persons(
        customer_id=customer_ids(index),
        name=name,
        email=email,
        phone=phone,
        has_second=has_second,
        second_row=second,
        second_id=customer_ids(index[second] + SECOND_ID_OFFSET),
        second_name=mistyped,
        second_email=np.where(keeps_mail, email[second], other),
        second_phone=only_where(~keeps_mail, phone[second]),
    )


def _mistype(name: str, at: float) -> str:
    """Swap two neighbouring letters, or drop one, or write all in capitals."""
    place = 1 + int(at * 1000) % (len(name) - 2)
    if at < 0.4:
        return name[:place] + name[place + 1] + name[place] + name[place + 2 :]
    return name[:place] + name[place + 1 :] if at < 0.8 else name.upper()


def _text(values: object) -> np.ndarray:
    listed = list(values)  # type: ignore[call-overload]
    found = np.empty(len(listed), dtype=object)
    found[:] = listed
    return found

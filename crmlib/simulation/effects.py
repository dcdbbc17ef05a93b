"""The mechanisms that can be switched: 1 is as documented, 0 is off, 2 is twice as strong."""

from __future__ import annotations

import math
from collections.abc import Mapping

from crmlib.errors import DataError, did_you_mean

STRONGEST = 5.0

MECHANISMS = {
    "reminders": "a reminder makes its reader buy sooner for six weeks",
    "birthday_messages": "a birthday message makes its reader buy sooner for a month",
    "retention_offers": "an offer keeps customers for half a year, and sells a little more",
    "price_rises": "a dearer contract is cancelled sooner",
    "loyalty_programme": "members buy more often once they have joined",
    "broken_promises": "a promise not kept makes a customer leave sooner, and trust fall",
    "slow_replies": "a complaint answered late makes a customer leave sooner",
    "referrals": "customers recommend the firm; two in three of the recommended would not have come otherwise",
    "channel_quality": "channels bring customers of different worth",
    "market_speeds": "markets move at different speeds",
    "seasons": "seasons, weekdays and holidays",
    "dormancy": "customers fall quiet for months and come back",
    "gap_shapes": "gaps between purchases are regular for some and clumpy for others; off: memoryless",
    "rate_spend": "who buys often spends more at a time",
    "rate_leaving": "who buys often leaves later",
    "confounders": "an unseen need makes the heavy buyers join, recommend and answer",
    "leaving": "customers leave for good",
    "demanding_customers": "some take many times the service of others",
    "discounts": "some buy at a discount again and again",
    "returns": "goods come back",
    "data_errors": "one person under two ids, and typing errors",
}
GROUPS = {
    "treatments": ("reminders", "birthday_messages", "retention_offers", "price_rises", "loyalty_programme"),
}
# What has nothing to work on where another mechanism is off.
_NEEDS = {"broken_promises": "leaving", "slow_replies": "leaving", "rate_leaving": "leaving"}


def check_effects(effects: Mapping[str, float] | None) -> dict[str, float]:
    """Every mechanism with its strength.

    Parameters
    ----------
    effects : mapping of str to float, optional
        Mechanism, or group of mechanisms, to strength; what is not named is 1.

    Raises
    ------
    DataError
        If a name is unknown, a strength is no number from 0 to 5, or two entries contradict each other.

    Examples
    --------
    >>> check_effects({"treatments": 0})["reminders"]
    0.0
    """
    given = {str(name): _strength(str(name), value) for name, value in (effects or {}).items()}
    strengths = dict.fromkeys(MECHANISMS, 1.0)
    for group in given.keys() & GROUPS.keys():
        for name in GROUPS[group]:
            if given.get(name, given[group]) != given[group]:
                raise DataError(
                    f"effects contradict each other: {group} is {given[group]:g} and {name}, which belongs to it, "
                    f"is {given[name]:g}; name the group or its parts ({', '.join(GROUPS[group])})"
                )
            strengths[name] = given[group]
    strengths |= {name: value for name, value in given.items() if name in MECHANISMS}
    for name, needed in _NEEDS.items():
        if given.get(name, 0) > 0 and strengths[needed] == 0:
            raise DataError(
                f"effects contradict each other: {name} is {given[name]:g}, but works through {needed}, which is 0; "
                f"leave {name} out, or let {needed} be above 0"
            )
    return strengths


def _strength(name: str, value: float) -> float:
    allowed = [*MECHANISMS, *GROUPS]
    if name not in allowed:
        raise DataError(f"effects: no mechanism {name!r}; {did_you_mean(name, allowed)}")
    try:
        strength = float(value)
    except (TypeError, ValueError):
        strength = math.nan
    if not 0 <= strength <= STRONGEST:
        raise DataError(
            f"effects: {name} is {value!r}; a strength is a number from 0 (off) to {STRONGEST:g}, 1 is as documented"
        )
    return strength

"""The mechanisms that can be switched: 1 is as documented, 0 is off, 2 is twice as strong, -1 is reversed."""

from __future__ import annotations

import math
from collections.abc import Mapping

from crmlib.errors import DataError, did_you_mean

STRONGEST = 5.0

MECHANISMS = {
    "reminders": "a reminder makes its reader buy sooner for six weeks",
    "birthday_messages": "a birthday message makes its reader buy sooner for a month, and stay for a quarter",
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
    "spend_response": "more budget brings more prospects, ever fewer for each euro; off: they come whatever is spent",
    "assists": "channels that prospects meet on their way make it likelier that they are won",
    "budget_search": "the budget of the channel search, times this; 0: no advertisement there",
    "budget_social": "the budget of the channel social, times this",
    "budget_display": "the budget of the channel display, times this",
    "budget_price_comparison": "the budget of the channel price comparison, times this",
    "budget_partner": "the budget of the channel partner, times this",
    "budget_organic": "unpaid visits; 0: none",
    "word_of_mouth": "public complaints keep prospects away in the month after",
    "referral_offer": "an offer to the recommended wins more of them and keeps them longer",
    "referred_better": "the recommended stay longer because they were recommended",
    "promoters": "customers who are content recommend the firm more often",
    "trust_keeps": "trust keeps customers",
    "success_keeps": "customers who reach their goals stay longer",
    "expectations_met": "customers whose expectations were met stay longer",
    "value_builds_trust": "customers who buy much trust the firm more",
    "restless_moods": "the restless, who leave sooner, are less content, trust less and reach their goals less often",
    "entry_product": "who begins with the smallest product stays longer",
    "effort_by_value": "the firm calls good customers more often and answers them sooner",
    "base_eases_selling": "the more customers a market has, the fewer hours a prospect takes",
    "rivals": "customers of rivals take longer and more work to win",
    "small_fill_slack": "customers who buy little buy evenly over the year, while the others have their seasons",
    "product_ageing": "new products sell ever more pieces, and old ones ever fewer",
    "capacity": "in busy months orders are turned away; off: there is always room",
}
# Those that can be reversed, by a strength below 0.
REVERSIBLE = frozenset(
    "reminders birthday_messages retention_offers price_rises loyalty_programme broken_promises slow_replies "
    "channel_quality rate_spend rate_leaving confounders spend_response assists word_of_mouth referral_offer "
    "referred_better promoters trust_keeps success_keeps expectations_met value_builds_trust restless_moods "
    "entry_product effort_by_value base_eases_selling rivals "
    "small_fill_slack product_ageing".split()
)
GROUPS = {
    "treatments": ("reminders", "birthday_messages", "retention_offers", "price_rises", "loyalty_programme"),
}
# What has nothing to work on where another mechanism is off.
_NEEDS = dict.fromkeys(
    "broken_promises slow_replies rate_leaving trust_keeps success_keeps expectations_met referred_better "
    "entry_product".split(),
    "leaving",
) | dict.fromkeys(("promoters", "referral_offer", "referred_better"), "referrals")


def check_effects(effects: Mapping[str, float] | None) -> dict[str, float]:
    """Every mechanism with its strength.

    Parameters
    ----------
    effects : mapping of str to float, optional
        Mechanism, or group of mechanisms, to strength; what is not named is 1.

    Raises
    ------
    DataError
        If a name is unknown, a strength is no number from 0 (from -5 if it can be reversed) to 5, or two entries
        contradict each other.

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
        if given.get(name, 0) != 0 and strengths[needed] == 0:
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
    weakest = -STRONGEST if {name, *GROUPS.get(name, ())} & REVERSIBLE else 0.0
    if not weakest <= strength <= STRONGEST:
        reversed_ = f"{weakest:g} (reversed) through " if weakest else ""
        raise DataError(
            f"effects: {name} is {value!r}; a strength is a number from {reversed_}0 (off) to {STRONGEST:g}, "
            "1 is as documented"
        )
    return strength

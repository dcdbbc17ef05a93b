"""The findings of this room, each in one sentence; see `crmlib.models.sentences`."""

from __future__ import annotations

import pandas as pd

from crmlib import format as fmt
from crmlib.findings import UNNAMED, Estimate, compared, money
from crmlib.statistics import difference_of_shares


def states_today(table: pd.DataFrame) -> str:
    """How many customers are unstable, stable, latent and terminated."""
    people = table.set_index("state")["people"]
    names = [name for name in ("unstable", "stable", "latent", "terminated") if people.get(name, 0) > 0]
    if not names:
        return ""
    first, *others = names
    who = f"{fmt.plural(people[first], 'customer')} {'is' if people[first] == 1 else 'are'} {first}"
    return fmt.listing([who, *(f"{fmt.count(people[name])} {name}" for name in others)])


def course_of_states(long: pd.DataFrame, states: list[str]) -> str:
    """Which of these states grew most over the year, as a share of all in them."""
    wide = long.pivot(index="month", columns="state", values="people")[states]
    if len(wide) < 13 or not wide.iloc[[-13, -1]].sum(axis=1).all():  # nobody had bought a year ago
        return ""
    shares = wide.div(wide.sum(axis=1), axis=0)
    change = shares.iloc[-1] - shares.iloc[-13]
    most = str(change.abs().idxmax())
    verb = "rose" if change[most] > 0 else "fell"
    then, now = (fmt.share(shares[most].iloc[place]) for place in (-13, -1))
    counts = [(int(wide[most].iloc[place]), int(wide.iloc[place].sum())) for place in (-1, -13)]
    apart = difference_of_shares(*counts[0], *counts[1])
    return compared(
        f"Within a year the share of customers who are {most} {verb} from {then} to {now}",
        Estimate(apart.difference, "points", apart.low, apart.high),
    )


def buyers_in_words(table: pd.DataFrame) -> str:
    """How the buyers of the last month divide."""
    row = table.iloc[-1]
    bought = row["new"] + row["recurring"] + row["resurrected"]
    if not bought:
        return "Nobody bought in the last month"
    parts = (f"{fmt.share(row[name] / bought)} {name}" for name in ("new", "recurring", "resurrected"))
    return f"Of {fmt.plural(bought, 'buyer')} in {fmt.month(row['month'])} {fmt.listing([*parts])}"


def moves_off_the_table(table: pd.DataFrame, reading: str) -> str:
    """How many moves the reading's table does not have."""
    moved = table.loc[table["state"] != table["next_state"]]
    if not moved["moved"].sum():
        return "Nobody moved"
    off = moved.loc[~moved["allowed"], "moved"].sum() / moved["moved"].sum()
    return f"{fmt.share(off)} of the moves between states are not in the table of the {reading} reading"


def memory_in_words(table: pd.DataFrame) -> str:
    """In which states the past still predicts."""
    names = table.loc[table["memory"], "state"].tolist()
    if not len(table):
        return ""
    if not names:
        return "The state of today says all that the past says of where customers go"
    where = f"in {len(names)} of {len(table)} states" if len(names) > 3 else f"for {fmt.listing(names)}"
    return f"Time in the state, or the state before, still predicts {where}: no Markov chain"


def values_in_words(table: pd.DataFrame, states: list[str], refusal: str) -> str:
    """Which of these states is worth most, and which least, by histories that remember; or why not to say so."""
    if refusal:
        return refusal
    known = table[table["state"].isin(states)].set_index("state")
    worth = known["simulated" if "simulated" in known else "value"].dropna()
    if len(worth) < 2:
        return ""
    best, worst = str(worth.idxmax()), str(worth.idxmin())
    most, least = (f"{money(worth[name])} in the state {name}" for name in (best, worst))
    return f"A customer is worth {most} and {least}"


def forecasts_in_words(table: pd.DataFrame) -> str:
    """Which of the two forecasts was nearer to what all customers brought."""
    happened, markov, simulated = (
        float((table[name] * table["people"]).sum()) for name in ("happened", "markov", "simulated")
    )
    if not happened > 0:
        return ""
    off = [fmt.change(total / happened - 1) for total in (markov, simulated)]
    months = fmt.length(int(table["months"].iloc[0]), "M")
    errors = f"the Markov chain is off by {off[0]}, histories that remember by {off[1]}"
    return f"Of what was brought within {months} {errors}"


def busiest_way(table: pd.DataFrame) -> str:
    """Which move most customers make."""
    moved = table[table["state"] != table["next_state"]]
    if not len(moved) or not moved["moved"].max() > 0:
        return "Nobody moves between states"
    row = moved.loc[moved["moved"].idxmax()]
    return f"The busiest way is from {row['state']} to {row['next_state']}: {fmt.number(row['moved'])} people a month"


def best_hop(table: pd.DataFrame) -> str:
    """Which hop is worth most."""
    known = table.dropna(subset=["gain"])
    if not len(known) or not known["gain"].max() > 0:
        return ""
    row = known.loc[(known["gain"] * known["people"]).idxmax()]
    hop, each = f"The hop from {row['state']} to {row['next_hop']}", money(row["gain"])
    return f"{hop} is worth {each} each, and {fmt.plural(row['people'], 'person', 'people')} stand before it"


def sweep_in_words(table: pd.DataFrame) -> str:
    """Which threshold decides most."""
    most = table.loc[table["moved_by_it"].idxmax()]
    if not most["moved_by_it"]:
        return "No threshold changes a customer's state"
    return (
        f"{fmt.capital(fmt.column(most['threshold']))} decides most: at {fmt.number(most['limit'])} "
        f"{fmt.plural(most['moved_by_it'], 'person', 'people')} are in another state"
    )


def readings_in_words(table: pd.DataFrame) -> str:
    """Where the literal reading does not hold."""
    rows = table[(table["reading"] == "literal") & (table["people"] > 0)].dropna(subset=["off_table"])
    if not len(rows) or not rows["off_table"].max() > 0:
        return "All moves are in the table of the literal reading"
    row = rows.loc[rows["off_table"].idxmax()]
    return (
        f"In the literal reading {fmt.share(row['off_table'])} of customers who are {row['state']} go within a month "
        "where its table has no way"
    )


def where_to_stop(table: pd.DataFrame, others: list[int], cost: str) -> str:
    """After which silence to stop, and at the ends of the effect's interval."""
    row = table.loc[table["best"].to_numpy()].iloc[0]
    months, last = int(row["months_contacted"]), int(table["months_contacted"].max())
    why = f"{row['basis']}{cost}"
    if months == 0:
        return f"No contact pays ({why})"
    if months == last:
        return f"Contacts pay as far as silences are known, {fmt.length(months, 'M')} ({why})"
    span = f", {fmt.listing([*map(str, others)])} at the ends of its interval" if others else ""
    return f"Stop contacts after {fmt.length(months, 'M')} without a purchase ({why}{span})"


def worst_stage(table: pd.DataFrame) -> str:
    """At which stage of which product type most is lost."""
    if table.empty or table["leak"].isna().all():
        return ""
    row = table.loc[table["leak"].idxmax()]
    lost = f"{money(row['leak'])} within a year, if those lost were like those who went on"
    return f"Most is lost before {row['product_type']} customers are {row['stage']}: {lost}"


def fits_in_words(table: pd.DataFrame) -> str:
    """Whether parameters of their own make the forecasts of product types and of markets better, in money."""
    texts = []
    for by, rows in table.groupby("by", sort=True):
        row, brought = rows.iloc[0], rows["happened"].sum()
        found = Estimate(row["nearer"], "money", row["nearer_low"], row["nearer_high"], currency=UNNAMED)
        word = "nearer to" if row["nearer"] >= 0 else "further from"
        months = fmt.length(int(row["months"]), "M")
        sentence = f"parameters for each {by} bring forecasts {money(abs(row['nearer']))} {word} the {money(brought)}"
        texts.append(str(compared(f"{sentence} that came within {months}", found)))
    return "; ".join(texts)


def drift_in_words(table: pd.DataFrame) -> str:
    """Which groups lose customers faster or slower than a year ago."""
    moved = table[table["drifts"]]
    if moved.empty:
        groups = fmt.plural(len(table), "group")
        return (
            f"in none of {groups} did the monthly loss of customers change against the others beyond chance"
        )
    row = moved.loc[moved["change"].abs().idxmax()]
    verb = "rose" if row["change"] > 0 else "fell"
    return compared(
        f"where the {row['by']} is {row['group']}, the monthly loss of customers {verb} against the others, from "
        f"{fmt.share(row['before'])} to {fmt.share(row['lately'])}",
        Estimate(row["change"], "points", row["change_low"], row["change_high"]),
    )

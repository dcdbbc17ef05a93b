"""The list of next actions in the forms that other programs take: Klaviyo, Meta audiences, a spreadsheet."""

from __future__ import annotations

from pathlib import Path

import pandas as pd

from crmlib import format as fmt
from crmlib.customers._log import fetch
from crmlib.data.staging import write_whole
from crmlib.errors import RunError, StudyError
from crmlib.study import Study
from crmlib.study.results import harmless

# Of each program: its columns, and what of the list goes there. Those with an address need a consent.
FORMS: dict[str, dict[str, str]] = {
    "klaviyo": {
        "Email": "email", "Customer ID": "customer_id", "Next Action": "next_action", "Reason": "reason",
        "Segment": "segment", "Tier": "tier", "Next Product": "next_product", "Predicted CLV": "clv",
    },
    "meta": {"email": "email", "extern_id": "customer_id", "value": "clv"},
    "spreadsheet": {
        name: name for name in (
            "customer_id next_action reason segment tier expected_gain gain_low gain_high cost assumed rule assigned "
            "owner done_on outcome"
        ).split()
    },
}  # fmt: skip


def export_list(study: Study, to: str, folder: Path) -> tuple[Path, str]:
    """Write the list of the latest report for another program.

    `to`: a key of `FORMS`. `folder`: where the file goes. Returns its path, and a sentence on who is in it and who is
    not. Raises RunError if there is no list, StudyError if the program needs addresses that the study does not keep.
    """
    listed, customers = study.published("next_actions"), study.published("customers")
    if not len(listed) or not len(customers):
        raise RunError(f"the latest report of {study.name} has no list of next actions; crm report makes one")
    known = customers[["customer_id", "segment", "tier", "next_product", "clv"]]
    rows = listed.merge(known, on="customer_id", how="left", validate="many_to_one")
    left = int(rows["left_out"].eq(True).sum())
    rows, without = (
        rows[~rows["left_out"].eq(True)],
        [f"{fmt.count(left)} left out by chance"] if left else [],
    )
    columns = FORMS[to]
    if "email" in columns.values():
        rows, more = _with_addresses(study, rows, to)
        without += more
    shown = rows[[*columns.values()]].set_axis([*columns], axis=1)
    path = folder / f"{to}-{study.as_of}.csv"
    mark = (
        "\N{ZERO WIDTH NO-BREAK SPACE}" if to == "spreadsheet" else ""
    )  # else a spreadsheet takes it for ANSI
    write_whole(path, mark + harmless(shown.round(2)).to_csv(index=False))
    who = f"{fmt.plural(len(shown), 'customer')} of {fmt.count(len(listed))} on the list"
    return path, f"{who}{'; not in it: ' + fmt.listing(without) if without else ''}."


def _with_addresses(study: Study, rows: pd.DataFrame, to: str) -> tuple[pd.DataFrame, list[str]]:
    """The rows of customers with an address who have agreed, each address once; and how many are not among them."""
    if study.file.personal_columns != "keep":
        raise StudyError(
            f"{to} needs e-mail addresses, and {study.name} does not keep them; set “personal_columns: keep” in "
            "study.yaml and run crm report again, or export with --to spreadsheet"
        )
    for column in ("email", "consent"):
        if not study.has("customers", column):
            raise StudyError(
                f"{to} needs the column {column} of the table customers, and {study.name} has none; add it, or export "
                "with --to spreadsheet"
            )
    people = fetch(study.table("customers").select("customer_id", "email", "consent"))
    found = rows.merge(people.drop_duplicates("customer_id"), on="customer_id", how="left")
    agreed = found["consent"].eq(True)
    address = found["email"].astype("string").str.strip().str.lower()
    there = address.str.fullmatch(r"[^@\s]+@[^@\s]+\.[^@\s]+").fillna(False).astype(bool)
    again = address.where(agreed & there).duplicated() & agreed & there
    counts = {
        "without consent": ~agreed, "without an e-mail address": agreed & ~there, "with an address twice": again,
    }  # fmt: skip
    counted = [f"{fmt.count(int(group.sum()))} {why}" for why, group in counts.items() if group.any()]
    kept = found.assign(email=address)[agreed & there & ~again]
    assert len(kept) + sum(int(group.sum()) for group in counts.values()) == len(rows), "a customer was lost"
    return kept, counted

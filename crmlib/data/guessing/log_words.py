"""Words in a purchase log that mean no sale, a return without a minus sign, or an item that is not a product."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping

import ibis
import ibis.expr.types as ir
import pandas as pd
from ibis import _

from crmlib import format as fmt
from crmlib.data import vocabulary
from crmlib.data.cleaning.policy_counts import count_states
from crmlib.data.cleaning.words import NO, YES
from crmlib.data.contracts import TRANSACTIONS
from crmlib.data.contracts.contract import NONE, plain_name
from crmlib.data.engine import first_row, most_frequent
from crmlib.data.guessing.columns import Look, may_be_named, text_of
from crmlib.data.guessing.findings import Finding, Question
from crmlib.data.policies import DEBIT_CREDIT, RETURN_WORDS, SALE_WORDS, Policies, spellings

SET_ASIDE, KEEP = "set aside", "keep"
_MOST_WORDS = 20  # a column with more of them is no state and no sign
_STATES = {*spellings((*SALE_WORDS, *RETURN_WORDS, *vocabulary.words("states of orders")["known"]))}
# Credit and debit cards.
_CARDS = {"payment", "card", "method", "tender", "zahlart", "zahlungsart", "channel"}
REFUNDED = ("refunded", "wc-refunded")
# A state that holds one of the first words is no sale, as in "Cancelled by buyer", unless it holds one of the others.
_SINGLE_WORDS = {word for word in Policies().excluded_statuses if "_" not in word}
_NO_SALE = _SINGLE_WORDS - {"test", "concept", "view", "click"}
_YET_A_SALE = {"not", "no", "partially", "partial", "nicht", "non", "teilweise"}
_OF_RETURNS = {"return", "returns", "returned", "refund", "refunds", "reversal", "retoure", "gutschrift"}
_BACK = {f"_{word}_" for word in RETURN_WORDS}
_OF_NO_SALE = {*_NO_SALE, "cancel", "cancellation", "test"}  # in the name of a column of yes and no
# Codes and names under which tills, shops and ERP systems book what is no product.
_LETTERS = ("m", "s", "d", "b")  # manual, samples, discount, bad debt
_NO_PRODUCT = (
    r"post|dot|c2|cruk|pads|adjust\d?|manual|amazon ?fees?|bank ?charges|test ?\d*"
    r"|postage|carriage|delivery|shipping|freight|handling|samples?|discount|rabatt|voucher|fees?|tip|tips|rounding"
    r"|deposit|pfand|porto|versand|versandkosten|trinkgeld|remise|spedizione|frete|env[ií]o|verzendkosten|frais de port"
    r"|(adjust|correct|dotcom|manual|adjustment|correction) (by|postage|adjustment|correction|entry|of)\b.*"
    r"|(shipping|delivery|postage|handling|service|bank|payment|transaction|gift ?wrap\w*) (fees?|costs?|charges?)"
    r"|(gift|gutschein)[ _-]?(\d+.*|(cards?|vouchers?|certificates?)( .*)?)|next day carriage"
)


def words_of(look: Look, amount: ir.NumericValue | None) -> Iterator[Finding | Question]:
    """Findings on order states in other columns, columns that mark returns, and items that are no products.

    `amount` is what was paid for each row, where a column says so.
    """
    sample, matches, given = look.sample, look.matches, look.given
    words = {name: _words(sample[name]) for name in sample.columns if sample[name].dtype != float}
    few = {name: found for name, found in words.items() if 0 < len(found) <= _MOST_WORDS}
    taken = {match.column for purpose, match in matches.items() if purpose != "returned"}
    free = {name: found for name, found in few.items() if name not in taken}
    if not {"status", "columns.status"} & {*matches, *given}:
        yield from _unnamed_states(free)
    free = {name: found for name, found in free.items() if len(found) > 1}
    if amount is not None and "status" in matches and not {"refunded", "returned"} & matches.keys():
        yield from _returned_orders(look, few, amount)
    if amount is not None and given.get("columns.returned") != NONE:
        yield from _signs(look, free, amount)
    if "product" in matches:
        yield from _no_products(look)


def _words(column: pd.Series) -> set[str]:
    words = {str(value).strip().lower() for value in column.dropna().unique()[: 10 * _MOST_WORDS]}
    return words - {""}


def _unnamed_states(free: Mapping[str, set[str]]) -> Iterator[Finding | Question]:
    """A column of which every word is a state, or asked about where some are."""
    no_sale = {*spellings(tuple(_NO_SALE))} | {*spellings(("add_to_cart", "payment_error"))}
    for name, words in free.items():
        marked = words & ({*YES} if _is_flag_of_no_sale(name) and words <= {*YES, *NO} else no_sale)
        if not marked:
            continue
        found = ", ".join(sorted(marked)[:3])
        if words <= _STATES | {*spellings(Policies().excluded_statuses)}:
            yield Finding("columns.status", name, f"by its content: it holds states such as {found}")
        else:
            text = f"{name!r} holds {found}: is it the state of the order, so that such rows are no sale?"
            yield Question("columns.status", f"{text} Answer {name}, or {NONE}", (name, NONE))
        return


def _signs(look: Look, free: Mapping[str, set[str]], amount: ir.NumericValue) -> Iterator[Finding | Question]:
    """The column that marks returns, where their amounts have no minus."""
    known, given = look.source("returned") if "returned" in look.matches else None, look.given
    listened = {name: _back_words(name, words, name == known) for name, words in free.items()}
    listened = {name: words for name, words in listened.items() if words and known in (None, name)}
    hits = _above_zero(look.table, listened, amount)
    answer = given.get("policies.return_words")
    for name, counts in hits.items():
        if answer is None and "columns.returned" not in given:
            listed = ", ".join(f"{word} ({fmt.count(rows)} rows)" for word, rows in counts.items())
            choices = tuple(word for word in counts if word in listened[name])
            yield Question(
                "policies.return_words",
                f"{name!r} holds {listed}, and amounts of such rows are above zero: which word makes a row money back? "
                f"Answer {NONE} if none does",
                (*choices, NONE),
            )
        elif answer == NONE and name == known:
            yield Finding("columns.returned", NONE, "named by you")
        elif answer not in (None, NONE):
            yield Finding("columns.returned", name, f"{answer} is money back, as you said")
            if answer not in {*spellings(RETURN_WORDS), *YES}:
                same = {answer} if answer in DEBIT_CREDIT else listened[name] - {*DEBIT_CREDIT, *YES}
                yield Finding("policies.return_words", tuple(sorted(same)), "named by you")
        return


def states_of(look: Look) -> Finding:
    """The states that orders are in, and which of them are no sale; returned ones too if the user answered so."""
    status, returned = look.text("status"), look.given.get("policies.excluded_statuses") == SET_ASIDE
    words = status.lower().name("state").as_table().distinct().filter(_.state.notnull()).limit(1_000)
    states = sorted(words.to_pyarrow()["state"].to_pylist())
    wordy = [state for state in states if says_no_sale(state)]
    back = [state for state in states if returned and says_returned(state)]
    refunded = [s for s in states if s in REFUNDED and s not in back and "refunded" not in look.matches]
    why = f"; among them, by a word in it: {', '.join(wordy)}" if wordy else ""
    why += "; no column says how much was refunded, so refunded orders are set aside" if refunded else ""
    flags = YES if _is_flag_of_no_sale(look.source("status")) and {*states} <= {*YES, *NO} else []
    excluded = (*Policies().excluded_statuses, *wordy, *back, *refunded, *flags)
    counted = count_states(status, excluded)
    listed = ", ".join(f"{row['state']} ({row['rows']:,}) {row['outcome']}" for row in counted)
    return Finding("policies.excluded_statuses", excluded, f"states found: {listed}{why}")


def _returned_orders(look: Look, few: Mapping[str, set[str]], amount: ir.NumericValue) -> Iterator[Question]:
    """Orders in a state such as returned, whose amounts have no minus; refunded ones are set aside anyway."""
    status = look.source("status")
    words = {word for word in few.get(status, ()) if says_returned(word)}
    hits = _above_zero(look.table, {status: words} if words else {}, amount)
    if hits and "policies.excluded_statuses" not in look.given:
        listed = ", ".join(f"{word} ({fmt.count(hits[status][word])} rows)" for word in sorted(words))
        text = f"{status!r} holds {listed}, with amounts above zero. Are these orders {SET_ASIDE}, or sales ({KEEP})?"
        yield Question("policies.excluded_statuses", text, (SET_ASIDE, KEEP))


def says_returned(state: str) -> bool:
    """Whether a state says that the order came back; refunded ones have a rule of their own.

    Examples
    --------
    >>> says_returned("shipped - returned to seller"), says_returned("partially returned")
    (True, False)
    """
    words = _parts(state)
    joined = f"_{'_'.join(words)}_"
    return state not in REFUNDED and any(word in joined for word in _BACK) and not _YET_A_SALE & {*words}


def _is_flag_of_no_sale(name: str) -> bool:
    """Whether a column of yes and no says by its name that the row is no sale, as `is_canceled`."""
    return bool(_OF_NO_SALE & {*_parts(plain_name(name))})


def _parts(text: str) -> list[str]:
    return re.findall(r"[^\W_]+", text.lower())


def says_no_sale(state: str) -> bool:
    """Whether a state of several words says that the order is no sale.

    Examples
    --------
    >>> says_no_sale("cancelled by buyer"), says_no_sale("partially cancelled"), says_no_sale("cancelled")
    (True, False, False)
    """
    words = {*_parts(state)}
    return len(words) > 1 and bool(words & _NO_SALE) and not words & _YET_A_SALE


def _back_words(name: str, words: set[str], returned: bool) -> set[str]:
    """Words of a column that may mark a return."""
    parts = set(plain_name(name).split("_"))
    if words <= {*DEBIT_CREDIT} and not parts & _CARDS:
        return words
    flags = {*YES} if returned or (parts & _OF_RETURNS and words <= {*YES, *NO}) else set()
    return words & {*spellings(RETURN_WORDS), *flags} | {*filter(says_returned, words)}


def _above_zero(
    table: ibis.Table, listened: Mapping[str, set[str]], amount: ir.NumericValue
) -> dict[str, dict[str, int]]:
    """Columns where one of these words occurs with a positive amount: all their words, with their rows."""
    texts = {name: text_of(table[name]).lower() for name in listened}
    asked = {name: (texts[name].isin(words) & (amount > 0)).sum() for name, words in listened.items()}
    found = first_row(table.agg(**asked)) if asked else {}
    return {name: _counts(texts[name]) for name in listened if found[name]}


def _counts(text: ir.StringColumn) -> dict[str, int]:
    found = most_frequent(text.name("word").as_table(), "word", _.word, 10 * _MOST_WORDS)
    return {row["word"]: row["rows"] for row in found}


def _no_products(look: Look) -> Iterator[Finding | Question]:
    """Postage, fees, samples and corrections booked as products: counted as sales unless the user decides otherwise."""
    column = look.source("product")
    found = _booked_as_products(look.table, [column, *_beside_product(look.sample, column)])
    if not found:
        return
    listed = ", ".join(f"{word} ({fmt.count(rows)} rows)" for word, rows in found.items())
    named = f"{column!r} holds what is probably no product: {listed}"
    answer = look.given.get("policies.excluded_products")
    why = "named by you" if answer else "assumed: they count as sales"
    excluded = tuple(found) if answer == SET_ASIDE else ()
    yield Finding("policies.excluded_products", excluded, f"{named}; {why}")
    if answer is None:
        text = f"{named}. Are their rows {SET_ASIDE}, or do they count as sales ({KEEP})?"
        yield Question("policies.excluded_products", text, (SET_ASIDE, KEEP), assumed=KEEP)


def _beside_product(sample: pd.DataFrame, column: str) -> list[str]:
    """Other columns that say in words what the product is."""
    return [name for name in sample.columns if name != column and may_be_named(name, TRANSACTIONS, "product")]


def _booked_as_products(table: ibis.Table, columns: list[str]) -> dict[str, int]:
    """Items that are no products by their code or name, the most frequent first, with their rows."""
    texts = {f"text{place}": text_of(table[name]).lower() for place, name in enumerate(columns)}
    words = table.select(**texts).group_by([*texts]).agg(rows=_.count())  # far fewer than rows
    words = words.mutate(
        clear=ibis.greatest(
            *[words[name].re_search(f"^({_NO_PRODUCT})$").fill_null(False) for name in texts]
        ),
        letter=words.text0.isin(_LETTERS),
    ).filter(_.clear | _.letter)
    found = words.group_by(word="text0").agg(rows=_.rows.sum(), clear=_.clear.any()).filter(_.word.notnull())
    counted = found.order_by(_.rows.desc(), "word").limit(_MOST_WORDS).to_pyarrow().to_pylist()
    # A letter alone may be a size; beside postage it is a code.
    return {row["word"]: row["rows"] for row in counted} if any(row["clear"] for row in counted) else {}

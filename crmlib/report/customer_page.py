"""The page of one customer, made on demand."""

from __future__ import annotations

import base64
import hashlib
import re
from pathlib import Path

from crmlib.charts.one_customer import one_customer as draw
from crmlib.data.staging import write_whole
from crmlib.no_rows import why_none
from crmlib.relationship.one_customer import one_customer
from crmlib.report import pages
from crmlib.study import Study

_TITLES = {
    "facts": "What is known",
    "purchases": "Purchases",
    "contacts": "Contacts",
    "cases": "Open cases",
    "promises": "Promises not kept yet",
}
_MOST = 20  # rows of a table
_FACTS = {"fact": ("fact", "text"), "value": ("value", "text")}


def write_customer_page(study: Study, customer_id: str, folder: Path) -> Path:
    """Write the page of a customer into a folder and return its path.

    Raises StudyError if no table knows the customer.
    """
    found = one_customer(study, customer_id)
    chart = draw(found.course, found.purchases["date"], "") if len(found.course) else None
    picture = None
    if chart is not None and not chart.empty:
        address = "data:image/png;base64," + base64.b64encode(chart.png()).decode()
        picture = {"address": address, "alt": chart.alt, "width": str(chart.shown_width)}
    tables = []
    for name, title in _TITLES.items():
        frame = getattr(found, name)
        labels = _FACTS if name == "facts" else {}
        shown = study.show(frame, rows=_MOST, **labels)
        html = shown._repr_html_() if len(frame) else None
        tables.append((title, pages.table(str(html), title) if html else "", f"None: {why_none(frame)}."))
    page = pages.render("customer.html.j2", study=study, found=found, picture=picture, tables=tables)
    plain = re.sub(r"[^A-Za-z0-9_-]", "", customer_id)[:40]
    digest = hashlib.sha256(customer_id.encode()).hexdigest()[:8]  # two ids may be alike without their signs
    path = folder / f"{plain or 'customer'}-{digest}.html"
    write_whole(path, page)
    return path

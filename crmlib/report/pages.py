"""Turn executed notebooks and their figures into self-contained pages.

Everything a notebook puts out is data: it is escaped, or cleaned to the few tags that a table needs.
"""

from __future__ import annotations

import base64
import functools
import html
import itertools
import json
import re
from collections.abc import Callable
from pathlib import Path
from typing import Any

import jinja2
import nh3
from bs4 import BeautifulSoup
from markdown_it import MarkdownIt
from markdown_it.token import Token
from markupsafe import Markup

from crmlib import format as fmt
from crmlib.columns import TOGETHER, marked
from crmlib.report.folding import fold
from crmlib.report.notebooks import PARAMETER_TAGS
from crmlib.secrets import redact
from crmlib.study.published import change_of, figures_of, interval_of
from crmlib.visible import visible

_TABLE_TAGS = {"table", "caption", "thead", "tbody", "tfoot", "tr", "th", "td", "p", "a", "code"}
_SPANS = {"colspan", "rowspan", "scope"}
_TABLE_ATTRIBUTES = {"td": _SPANS, "th": _SPANS, "a": {"href"}}
_TABLE_CLASSES = {"td": {"number"}, "th": {"number"}}
_TABLE_FILE = re.compile(r"(?:.*/)?(tables/[\w.-]+\.(?:csv|parquet))")
GLOSSARY = "glossary.md"  # in docs/
_WIDE = 8  # columns, beyond which a table is set smaller on paper
_IMAGES = ("image/svg+xml", "image/png", "image/jpeg")
_SECTION, _FOLDED = re.compile(r"\s*##?\s"), re.compile(r"\s*##\s+For analysts\s*(\n|$)")
_ALIGNED = re.compile(r"^\s+\S|\S {2,}\S", re.M)
_ANSI = re.compile(r"\x1b\[[0-9;]*[A-Za-z]")


def _unbroken(write: Callable[..., str]) -> Callable[..., str]:
    """Keep a number and its unit on one line."""
    return lambda *given: TOGETHER.sub("\N{NO-BREAK SPACE}", write(*given))


def _runs(blocks: list[dict[str, Any]], key: str) -> list[tuple[bool, list[dict[str, Any]]]]:
    """The blocks in order, those that follow each other with the same value of a key together."""
    return [(value, [*group]) for value, group in itertools.groupby(blocks, key=lambda block: block[key])]


@functools.cache
def _templates() -> jinja2.Environment:
    loader = jinja2.FileSystemLoader(Path(__file__).parent / "templates")
    blocks: dict[str, Any] = dict(trim_blocks=True, lstrip_blocks=True)
    environment = jinja2.Environment(
        loader=loader, autoescape=True, undefined=jinja2.StrictUndefined, **blocks
    )
    unbroken: dict[str, Any] = {"write": fmt.write, "change_of": change_of, "interval": interval_of}
    environment.filters.update({name: _unbroken(write) for name, write in unbroken.items()})
    plain = ("date", "cell", "column", "seconds", "sentence")
    environment.filters.update({name: getattr(fmt, name) for name in plain})
    environment.filters.update(groupby_run=_runs, marked=lambda text: Markup(marked(text)))
    return environment


def render(template: str, **context: Any) -> str:
    """Fill a template; nothing secret gets onto the page, nor what turns text round."""
    return visible(redact(_templates().get_template(template).render(**context)))


def notebook_page(path: Path, *, metrics: dict[str, Any], pages: set[str], **context: Any) -> str:
    """Render an executed notebook without its code, which can be unfolded.

    `path`: the executed notebook. `metrics`: its metrics file; the key figures are drawn from it. `pages`: names of the
    notebooks that have a page: links to them lead there. `context`: what else the template ``notebook.html.j2`` shows:
    study, chapter, parameters, neighbours.
    """
    cells = json.loads(path.read_text(encoding="utf-8"))["cells"]
    cells, left_out = fold(cells, metrics["absent_tables"])
    prose = _Prose(pages)
    blocks = _blocks(cells, prose, has_figures=bool(metrics["figures"]))
    if left_out:
        line = Markup('<p class="soft">{}</p>').format(left_out)
        blocks.append({"kind": "prose", "html": line, "folded": False})
    metrics = metrics | {"figures": figures_of(metrics)}
    return render("notebook.html.j2", blocks=blocks, heading=prose.title, metrics=metrics, **context)


def glossary_page(text: str, pages: set[str]) -> str:
    """The glossary as a page that the others link to; the examples that tests compute are left out."""
    prose = _Prose(pages, anchors=True)
    body = prose.render(re.sub(r"^```pycon\n.*?^```$", "", text, flags=re.M | re.S))
    return render("glossary.html.j2", heading=prose.title, body=body)


def _blocks(cells: list[dict[str, Any]], prose: _Prose, *, has_figures: bool) -> list[dict[str, Any]]:
    """What the cells show: prose, or outputs with the code folded away beneath them."""
    blocks: list[dict[str, Any]] = []
    folded = False
    sources: list[str] = []  # of cells that show nothing; they stand in the fold of the next that does
    for cell in cells:
        tags = set(cell["metadata"].get("tags", []))
        source = "".join(cell["source"])
        if tags & PARAMETER_TAGS or not source.strip():
            continue
        if cell["cell_type"] == "markdown":
            if _SECTION.match(source):  # a heading of this rank ends what the one before has folded
                folded = bool(_FOLDED.match(source))
                source = _FOLDED.sub("", source, count=1)  # the fold's own heading shows it
            html_text = prose.render(source)
            if html_text.strip():
                blocks.append({"kind": "prose", "html": html_text, "folded": folded})
        if cell["cell_type"] == "code":
            sources.append(source)
            # The key figures' text is for the tests; a page shows the same figures in words.
            figures = has_figures and "nbval-check-output" in tags
            shown = [] if figures else [*filter(None, (_output(put, prose) for put in cell["outputs"]))]
            if figures or shown:
                kind = "figures" if figures else "code"
                blocks.append({"kind": kind, "sources": sources, "outputs": shown, "folded": folded})
                sources = []
    if sources:
        blocks.append({"kind": "code", "sources": sources, "outputs": [], "folded": folded})
    return blocks


def _output(output: dict[str, Any], prose: _Prose) -> Markup | None:
    """What one output shows; warnings on stderr stay in the notebook."""
    if output["output_type"] == "stream":
        return _printed("".join(output["text"])) if output["name"] == "stdout" else None
    if output["output_type"] == "error":
        return _text("\n".join(output["traceback"]))
    data = output.get("data", {})
    image = next((kind for kind in _IMAGES if kind in data), None)
    if image:
        return _image(image, "".join(data[image]), output.get("metadata", {}), prose.heading)
    if "text/html" in data:
        return table("".join(data["text/html"]), prose.heading)
    if "text/markdown" in data:
        return Markup(f'<div class="prose">{prose.render("".join(data["text/markdown"]))}</div>')
    return _text("".join(data["text/plain"])) if "text/plain" in data else None


def _printed(text: str) -> Markup:
    """Printed sentences as prose; lines that spaces align stay as they are."""
    if _ALIGNED.search(text):
        return _text(text)
    lines = (Markup(marked(line)) for line in _ANSI.sub("", text).splitlines() if line.strip())
    paragraphs = Markup("").join(Markup("<p>{}</p>").format(line) for line in lines)
    return Markup('<div class="prose">{}</div>').format(paragraphs)


def _text(text: str) -> Markup:
    return Markup('<pre class="output" tabindex="0">{}</pre>').format(_ANSI.sub("", text).rstrip())


def _image(kind: str, data: str, metadata: dict[str, Any], heading: str) -> Markup:
    alt = metadata.get(kind, {}).get("alt") or metadata.get("alt") or f"Chart: {heading}"
    encoded = base64.b64encode(data.encode()).decode() if kind == "image/svg+xml" else re.sub(r"\s", "", data)
    about = metadata.get(kind, {})
    size = {side: int(about[side]) for side in ("width", "height") if str(about.get(side, "")).isdigit()}
    sides = Markup("").join(Markup(' {}="{}"').format(side, length) for side, length in size.items())
    figure = Markup('<figure><img src="data:{};base64,{}" alt="{}"{}></figure>')
    return figure.format(kind, encoded, alt, sides)


def table(text: str, heading: str) -> Markup:
    """Keep a table's cells, which of them are numbers, and the link to its file, and nothing else of its HTML."""
    kept: dict[str, Any] = {"tags": _TABLE_TAGS, "attributes": _TABLE_ATTRIBUTES}
    kept |= {"allowed_classes": _TABLE_CLASSES, "link_rel": None}
    soup = BeautifulSoup(nh3.clean(text, **kept), "html.parser")
    for link in soup.find_all("a"):
        if file := _TABLE_FILE.fullmatch(str(link.get("href"))):
            link["href"] = file[1]
        else:
            link.unwrap()
    for note in soup.find_all("p"):
        note["class"] = "soft small"
    for found in soup.find_all("table"):
        if len(found.select("tr:first-of-type > *")) > _WIDE * len(found.select("tr:first-of-type")):
            found["class"] = "wide"
        around = {"class": "scroll", "role": "group", "tabindex": "0", "aria-label": f"Table: {heading}"}
        found.wrap(soup.new_tag("div", attrs=around))
    return Markup(str(soup))


class _Prose:
    """Markdown of one page, with its headings in order whatever the notebook's levels are."""

    def __init__(self, pages: set[str], *, anchors: bool = False) -> None:
        self.markdown = MarkdownIt("commonmark", {"html": False}).enable("table")
        self.markdown.add_render_rule("image", _described)
        self.pages, self.anchors = pages, anchors
        self.title = ""
        self.heading = ""
        self.level = 1

    def render(self, source: str) -> Markup:
        """Prose of a notebook as HTML."""
        tokens = self.markdown.parse(source)
        kept: list[Token] = []
        index = 0
        while index < len(tokens):
            if tokens[index].type == "heading_open":
                text = _plain(tokens[index + 1])
                if not self.title and tokens[index].tag == "h1":  # the page's own heading shows it
                    self.title = self.heading = text
                    index += 3
                    continue
                self._level(tokens[index], tokens[index + 2])
                self.heading = text
                if self.anchors:
                    tokens[index].attrSet("id", anchor(text))
            self._links(tokens[index])
            kept.append(tokens[index])
            index += 1
        text = self.markdown.renderer.render(kept, self.markdown.options, {})
        text = text.replace("<table>", '<div class="scroll" tabindex="0"><table>')
        return Markup(text.replace("</table>", "</table></div>"))

    def _level(self, opening: Token, closing: Token) -> None:
        """At least 2, because the page has one h1, and at most one deeper than the heading before."""
        self.level = min(max(int(opening.tag[1]), 2), self.level + 1)
        opening.tag = closing.tag = f"h{self.level}"

    def _links(self, token: Token) -> None:
        for child in token.children or []:
            if child.type == "link_open":
                target, _, term = str(child.attrGet("href")).rpartition("/")[2].partition("#")
                name = target.removesuffix(".ipynb")
                if target == GLOSSARY:
                    child.attrSet("href", f"glossary.html#{term}")
                elif name in self.pages:
                    child.attrSet("href", f"{name}.html")
                elif name != target:  # a chapter that this report has not
                    child.attrSet("href", "index.html")


def anchor(heading: str) -> str:
    """Where a link to a heading leads, as GitHub and JupyterLab write it: "P(alive)" is `palive`."""
    return re.sub(r"[^\w\- ]", "", heading.lower()).replace(" ", "-")


def _plain(inline: Token) -> str:
    shown = (token for token in inline.children or [] if token.type in ("text", "code_inline"))
    return "".join(token.content for token in shown).strip()


def _described(self: Any, tokens: list[Token], index: int, options: Any, env: Any) -> str:
    """A picture inside the notebook is shown; any other is replaced by its description."""
    address, words = str(tokens[index].attrGet("src")), html.escape(tokens[index].content)
    if address.startswith("data:image/"):
        return f'<img src="{html.escape(address)}" alt="{words}">'
    return f"<em>{words}</em>"

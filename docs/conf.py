"""How Sphinx makes the site. `make docs` runs it; what it needs and makes before is in make.py."""

from __future__ import annotations

import os
import re
from pathlib import Path
from typing import Any

from docutils import nodes
from docutils.utils.math.latex2mathml import tex2mathml
from sphinx.application import Sphinx

import crmlib

HERE = Path(__file__).parent
project, author, language = "crmlib", "The crmlib authors", "en"
version = release = crmlib.__version__
extensions = ["myst_parser", "numpydoc", "sphinx_design", "sphinx.ext.autodoc"]
exclude_patterns = ["_build", "_made/site"]
nitpicky = False
default_role = "code"  # `name` in a docstring is code, as in the pages
html_theme = "pydata_sphinx_theme"
html_title = "crmlib"
html_static_path = ["_static"]
html_css_files = ["site.css"]
html_search_scorer = str(HERE / "_static" / "scorer.js")
html_extra_path = ["_made/site"]  # the example report
html_show_sourcelink = False
html_copy_source = False
html_theme_options = {
    "show_nav_level": 1,
    "navigation_with_keys": False,
    "navbar_align": "left",
    "header_links_before_dropdown": 9,
    "secondary_sidebar_items": ["page-toc"],
    "show_prev_next": False,
    "footer_start": ["copyright"],
    "footer_end": [],
}
html_sidebars = {"index": [], "gallery": [], "start": []}
copyright = "the crmlib authors; BSD-3-Clause"
autodoc_typehints = "none"  # types stand under Parameters
autodoc_member_order = "bysource"
numpydoc_show_class_members = False
numpydoc_validation_checks: set[str] = set()
myst_enable_extensions = ["dollarmath", "colon_fence", "attrs_block", "attrs_inline"]
myst_heading_anchors = 3
myst_dmath_allow_space = False
myst_dmath_allow_digits = False
myst_dmath_double_inline = True

# What people call a thing, beside the heading of its entry in the glossary: the search finds both.
SYNONYMS = {
    "CAC": ["customer acquisition cost", "acquisition cost", "cost per acquisition"],
    "Churn": ["churn rate", "attrition", "customer loss"],
    "CLV": ["LTV", "lifetime value", "customer lifetime value"],
    "Contribution": ["contribution margin", "profit per customer"],
    "Cohort": ["vintage"],
    "Customer Pyramid": ["value tiers", "best customers"],
    "Frequency": ["number of purchases", "repeat purchases"],
    "Holdout": ["test set", "out of sample"],
    "Interval": ["confidence interval", "credible interval", "uncertainty"],
    "Lift": ["cumulative gains"],
    "MRR": ["recurring revenue", "net revenue retention"],
    "P(alive)": ["probability alive", "probability active"],
    "Repurchase rate": ["repeat rate", "repeat purchase rate"],
    "Retention": ["retention rate", "stickiness"],
    "RFM": ["segments", "recency frequency monetary"],
    "Uplift": ["incremental effect", "treatment effect", "A/B test"],
    "Whale curve": ["whale", "whales", "profit concentration"],
}  # fmt: skip
CHAPTER = re.compile(r"\[([^\]]+)\]\((?:\.\./)+notebooks/(\w+)\.ipynb(#[\w-]*)?\)")
OF_THE_REPOSITORY = {
    r"\((?:\.\./)+data/README\.md": "(/data-tables.md",
    r"\((?:\.\./)+tests/benchmarks/README\.md": "(/benchmarks.md",
    r"\((?:\.\./)*docs/": "(/",
    r"\((?:\.\./)*CONTRIBUTING\.md": "(/contributing.md",
    r"\((?:\.\./)*CHANGELOG\.md": "(/changelog.md",
}


# Pages that the repository has elsewhere.
COPIES = {
    "benchmarks": "tests/benchmarks/README.md",
    "changelog": "CHANGELOG.md",
    "contributing": "CONTRIBUTING.md",
    "data-tables": "data/README.md",
}


def for_the_site(app: Sphinx, page: str, source: list[str]) -> None:
    """Turn links of the repository into links of the site, and name the synonyms of the glossary's entries."""
    if page in COPIES:
        path = HERE.parent / COPIES[page]
        hidden = "---\nnosearch: true\n---\n\n" if page in ("benchmarks", "changelog") else ""
        source[0] = hidden + re.sub(
            r"(?<=\]\()(?!https?:|#)([^)\s]+)",
            lambda link: os.path.relpath(path.parent / link[1], HERE),
            path.read_text(encoding="utf-8"),
        )
    up = "../" * page.count("/")
    text = CHAPTER.sub(
        lambda link: f'<a href="{up}report/{link[2]}.html{link[3] or ""}">{link[1]}</a>', source[0]
    )
    text = text.replace("\n\n```\n", "\n```\n")  # doctest wants the blank line, readers do not
    for found, instead in OF_THE_REPOSITORY.items():
        text = re.sub(found, instead, text)
    if page == "glossary":
        for term, names in SYNONYMS.items():
            heading = f"\n## {term}\n"
            assert heading in text, f"the glossary has no entry {term}"
            # Before the heading, so that who follows the search sees it; the sign marks the chief place of a name.
            entries = "".join(f"\n```{{index}} ! single: {name}\n```\n" for name in names)
            text = text.replace(heading, entries + heading)
    source[0] = text


def as_mathml(self: Any, node: nodes.math | nodes.math_block) -> None:
    """Formulas as MathML, which browsers draw themselves: no script and nothing from the network."""
    block = isinstance(node, nodes.math_block)
    self.body.append(tex2mathml(node.astext(), as_block=block))
    raise nodes.SkipNode


def setup(app: Sphinx) -> None:
    app.add_html_math_renderer("mathml", (as_mathml, None), (as_mathml, None))
    app.connect("source-read", for_the_site)


html_math_renderer = "mathml"
os.environ.setdefault("OMP_NUM_THREADS", "1")

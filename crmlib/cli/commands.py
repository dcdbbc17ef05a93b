"""The `crm` command. Each command imports what it needs when it runs, so that `crm --help` is quick."""

from __future__ import annotations

import errno
import io
import signal
import sys
import traceback
from pathlib import Path
from typing import Any

import click

from crmlib.cli.data import add, check, new, simulate
from crmlib.cli.lessons import lessons
from crmlib.errors import CrmError, RunError, disk_full
from crmlib.visible import say

NOTEBOOK_FAILED, REFUSED = 1, 2
_HERE = Path(__file__).parents[1]


class _Group(click.Group):
    """A group that ends with a sentence, not a traceback, where the library refuses."""

    def invoke(self, context: click.Context) -> Any:
        """Run a command; what a terminal cannot show is written as ?."""
        for stream in (sys.stdout, sys.stderr):
            if isinstance(stream, io.TextIOWrapper):
                stream.reconfigure(errors="replace")  # a terminal shows ? for signs that it does not know
        try:
            return super().invoke(context)
        except CrmError as error:
            say(f"crm: {error}", err=True)
            context.exit(NOTEBOOK_FAILED if isinstance(error, RunError) else REFUSED)
        except OSError as error:
            if error.errno == errno.EPIPE:  # who reads the output has seen enough, which Click knows to end
                raise
            if error.errno in (errno.ENOSPC, errno.EDQUOT):
                say(f"crm: {disk_full(error.filename)}", err=True)
                context.exit(NOTEBOOK_FAILED)
            say(f"crm: {error.filename or 'a file'}: {error.strerror or 'cannot be used'}", err=True)
            context.exit(REFUSED)
        except (click.ClickException, click.exceptions.Exit, click.Abort):
            raise
        except KeyboardInterrupt:
            say("crm: stopped", err=True)
            context.exit(128 + signal.SIGINT)
        except Exception as error:  # what it says may quote a row
            say(f"crm: {_fault(error)}", err=True)
            context.exit(NOTEBOOK_FAILED)


def _fault(error: Exception) -> str:
    """Where something went wrong that nobody has thought of."""
    frames = traceback.extract_tb(error.__traceback__)
    places = [frame for frame in frames if Path(frame.filename).is_relative_to(_HERE)]
    where = f"{Path(places[-1].filename).name}, line {places[-1].lineno}" if places else "unknown place"
    return f"this is a fault of crmlib ({type(error).__name__} in {where}); please report it with this line"


@click.group(cls=_Group, context_settings={"help_option_names": ["-h", "--help"]})
@click.version_option(package_name=None, version=__import__("crmlib").__version__, prog_name="crm")
def main() -> None:
    """From a purchase log to a customer report.

    A STUDY is a name (data/NAME/study.yaml) or the path of a study.yaml.
    """


for command in (new, add, check, simulate, lessons):
    main.add_command(command)

_out = click.option(
    "--out", type=click.Path(path_type=Path, file_okay=False), help="Folder for reports (default: reports)."
)


@main.command()
@click.argument("study")
@click.option(
    "--only",
    multiple=True,
    metavar="NOTEBOOK",
    help="Run only this notebook (02); take the others from the cache.",
)
@click.option("--as-of", metavar="DATE", help="Last day of data that counts (1998-06-30).")
@click.option("--set", multiple=True, metavar="KEY=VALUE", help="A parameter; 02.KEY for one notebook.")
@click.option(
    "--jobs", type=click.IntRange(1, 64), default=2, show_default=True, help="Notebooks that run at once."
)
@click.option(
    "--timeout",
    type=click.FloatRange(1),
    default=1800,
    show_default=True,
    help="Time limit of a cell, in seconds.",
)
@click.option("--fresh", is_flag=True, help="Run every notebook again, without the cache.")
@click.option(
    "--mail-to", metavar="ADDRESS", help="Write a mail about the report, and send it if SMTP is set up."
)
@click.option("--mail-failures-to", metavar="ADDRESS", help="Address for mails about failures.")
@click.option("--mail-list", is_flag=True, help="Attach the list of customers to contact to the mail.")
@click.option("--pdf", is_flag=True, help="Print the whole report as one PDF, if Chromium is installed.")
@_out
def report(
    study: str,
    jobs: int,
    timeout: float,
    mail_to: str | None,
    mail_failures_to: str | None,
    mail_list: bool,
    pdf: bool,
    out: Path | None,
    **asked: Any,
) -> None:
    """Run a study's notebooks and publish the report.

    Ends with 0 if all ran, 1 if a notebook failed, 2 if the study, a parameter or the data were refused.
    """
    from crmlib.report import make_report
    from crmlib.report.plan import plan_report
    from crmlib.report.terminal import show_failures, watching

    # So that a stopped run clears up.
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(128 + signal.SIGTERM))
    delivery = _delivery(mail_to, mail_failures_to, pdf, mail_list)
    plan = plan_report(study, **asked)
    reports = _reports(plan.study.name, plan.root, out)
    how: dict[str, Any] = {"jobs": jobs, "cell_timeout_seconds": timeout, "delivery": delivery}
    with watching(plan) as watch:
        made = make_report(plan, reports, watch=watch, **how)
    if made.failures:
        show_failures(made)
        made.delivery.send()
        sys.exit(NOTEBOOK_FAILED)
    if made.latest is None:
        say(
            "The latest report has notebooks that this run left out, so it was not replaced; run without --only."
        )
    made.delivery.send()
    say((made.latest or made.folder) / "index.html")


@main.command("list")
@click.argument("study", required=False)
def list_(study: str | None) -> None:
    """Show notebooks and studies, and what each notebook needs."""
    from crmlib.report.terminal import list_notebooks, list_studies

    list_notebooks(study)
    if study is None:
        list_studies()


@main.command()
@click.argument("study")
@_out
def runs(study: str, out: Path | None) -> None:
    """Show the existing runs, the newest first."""
    from crmlib.report.terminal import list_runs

    list_runs(_reports_so_far(study, out))


@main.command()
@click.argument("study")
@click.option("--keep", type=click.IntRange(1), default=12, show_default=True, help="Number of runs to keep.")
@_out
def prune(study: str, keep: int, out: Path | None) -> None:
    """Remove old runs; the latest report is always kept."""
    removed = _reports_so_far(study, out).prune(keep)
    for folder in removed:
        say(f"removed {folder}")
    say(f"{len(removed)} runs removed")


@main.command()
@click.argument("study")
@click.argument("customer_id")
@_out
def customer(study: str, customer_id: str, out: Path | None) -> None:
    """Write a page on one customer: history, value, contacts, what is open. CUSTOMER_ID is as in the lists."""
    from crmlib.report.customer_page import write_customer_page
    from crmlib.study import open_study

    opened = open_study(study)
    folder = _reports(opened.name, opened.root, out).folder / "customers"
    say(write_customer_page(opened, customer_id, folder))


@main.command()
@click.argument("study")
@click.option(
    "--to",
    type=click.Choice(["klaviyo", "meta", "spreadsheet"]),
    default="spreadsheet",
    show_default=True,
    help="The program that reads the file; the first two need e-mail addresses and consent.",
)
@_out
def export(study: str, to: str, out: Path | None) -> None:
    """Write the latest report's list of next actions for another program."""
    from crmlib.report.exports import export_list
    from crmlib.study import open_study

    opened = open_study(study)
    path, summary = export_list(opened, to, _reports(opened.name, opened.root, out).folder / "exports")
    say(summary)
    say(path)


@main.command()
@click.argument("run_a")
@click.argument("run_b")
@click.option(
    "--rows", type=click.IntRange(0), default=10, show_default=True, help="Customers shown by name."
)
def compare(run_a: str, run_b: str, rows: int) -> None:
    """Show what differs between two runs of a study.

    RUN_A and RUN_B are ids as of `crm runs`, or folders; RUN_A is the earlier one.
    """
    from crmlib.report.compare import compare_runs, find_run
    from crmlib.report.terminal import show_comparison
    from crmlib.study.places import find_root

    show_comparison(compare_runs(*(find_run(run, find_root()) for run in (run_a, run_b))), rows)


def _delivery(mail_to: str | None, mail_failures_to: str | None, pdf: bool, mail_list: bool) -> Any:
    from crmlib.report.deliver import Delivery, check_delivery, find_chromium

    check_delivery(mail_to, mail_failures_to)
    return Delivery(mail_to, mail_failures_to, find_chromium() if pdf else None, mail_list)


def _reports_so_far(study: str, out: Path | None) -> Any:
    """The reports of a study by name or path, which need not be readable: only its name is asked for."""
    from crmlib.study.places import find_root, find_study

    return _reports(find_study(study).parent.name, find_root(), out)


def _reports(name: str, root: Path, out: Path | None) -> Any:
    from crmlib.report.runs import Reports

    return Reports((out or root / "reports") / name)

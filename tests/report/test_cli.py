"""What the command prints: plain lines in a log, a display on a terminal, lists that say what is needed."""

from __future__ import annotations

import os
import subprocess
import sys

import pytest

from .conftest import RUN_CRM


def test_help_names_every_command_and_imports_nothing_heavy(published):
    script = (
        "import sys; from crmlib.cli import main; main(['--help'], standalone_mode=False); "
        "print(sorted({'pandas', 'ibis', 'papermill', 'jinja2', 'rich'} & set(sys.modules)))"
    )
    output = subprocess.run(
        [sys.executable, "-c", script], env=published.environment(), capture_output=True, text=True
    ).stdout
    for command in ("report", "list", "runs", "prune"):
        assert f"\n  {command} " in output
    assert output.splitlines()[-1] == "[]"


def test_list_says_what_each_notebook_needs(published):
    output = published.crm("list").out
    assert "03_acquisition\n    What does a customer cost?\n    needs transactions, marketing_spend" in output
    assert "04_decisions" in output
    assert "reads 02_base, 03_acquisition" in output
    assert "tiny" in output.partition("Studies")[2]


def test_list_of_a_study_says_what_is_possible_and_what_the_others_lack(published):
    possible, _, others = published.crm("list", "tiny").out.partition("\nNot yet\n")
    assert possible.startswith("Possible with transactions\n")
    assert "  02_base\n" in possible
    assert "03_acquisition" not in possible
    assert "  03_acquisition\n      What does a customer cost?\n      lacks marketing_spend\n" in others
    assert "  marketing_spend: one row per period and channel" in others


def test_a_log_has_plain_lines(project):
    done = project.crm("report", "tiny", TERM="xterm-256color")
    lines = done.out.splitlines()
    assert lines[0] == "Tiny <b>& Sons</b>, as of 30 June 2024"
    assert (
        "03_acquisition                   not run: needs table marketing_spend. To supply it, add "
        "“marketing_spend: {source: marketing_spend.csv}” under “tables:” in tiny/study.yaml."
    ) in lines
    assert "\x1b" not in done.out
    assert "\r" not in done.out


@pytest.mark.skipif(sys.platform == "win32", reason="Windows has no pseudo-terminals")
def test_a_terminal_has_a_moving_display_and_ends_with_the_path(project):
    import pty

    ours, theirs = pty.openpty()
    command = subprocess.Popen(
        [*RUN_CRM, "report", "tiny", "--only", "02"],
        cwd=project.root,
        env=project.environment(TERM="xterm-256color", COLUMNS="120"),
        stdout=theirs,
        stderr=theirs,
    )
    os.close(theirs)
    output = b""
    while True:
        try:
            output += os.read(ours, 4096)
        except OSError:  # the other end is closed
            break
    assert command.wait() == 0
    text = output.decode()
    assert "\x1b[" in text
    assert "02_base" in text
    assert text.splitlines()[-1].endswith(str(project.latest / "index.html"))


def test_it_works_from_a_folder_within_the_project_and_for_a_path(project):
    inner = project.root / "notebooks"
    done = project.crm("report", "../data/tiny/study.yaml", cwd=inner)
    assert done.code == 0, done.err
    assert done.ended["02_base"] == "cached"
    assert done.folder.parent == project.reports / "runs"


def test_out_says_where_reports_go(project, tmp_path):
    done = project.crm("report", "tiny", "--out", str(tmp_path / "elsewhere"))
    assert done.out.splitlines()[-1] == str(tmp_path / "elsewhere/tiny/latest/index.html")
    assert (tmp_path / "elsewhere/tiny/latest/index.html").is_file()


@pytest.mark.parametrize("study", ["tiny", "data/tiny/study.yaml", "./data/tiny", "ABSOLUTE"])
def test_runs_and_prune_take_a_name_or_a_path_as_report_does(project, study):
    study = str(project.root / "data/tiny/study.yaml") if study == "ABSOLUTE" else study
    output = project.crm("runs", study)
    assert (output.code, output.err) == (0, "")
    assert output.out.splitlines()[-1].startswith(project.latest.resolve().name)
    pruned = project.crm("prune", study, "--keep", "1")
    assert (pruned.code, pruned.out, pruned.err) == (0, "0 runs removed\n", "")


@pytest.mark.parametrize(
    "arguments",
    [
        ("report",),
        ("check",),
        ("list",),
        ("runs",),
        ("prune",),
        ("add", "customers", "customers.csv"),
    ],
    ids=lambda words: words[0],
)
def test_every_command_refuses_an_unknown_study_with_the_nearest_and_leaves_nothing(unrun, arguments):
    command, *others = arguments
    done = unrun.crm(command, "tinny", *others)
    assert (done.code, done.out) == (2, "")
    assert done.err.startswith("crm: study 'tinny': no data/tinny/study.yaml")
    assert "did you mean 'tiny'?" in done.err
    gone = unrun.crm(command, "data/tinny/study.yaml", *others)
    assert (gone.code, gone.out) == (2, "")
    assert "there is no file data/tinny/study.yaml" in gone.err
    assert not (unrun.root / "reports").exists()

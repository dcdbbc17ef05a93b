"""The command that makes a firm up: `crm simulate`."""

from __future__ import annotations

import click

from crmlib.errors import StudyError


@click.command()
@click.argument("name")
@click.option("--customers", default=5000, show_default=True, help="How many customers.")
@click.option("--years", default=3, show_default=True, help="Whole years of history up to 2025-12-31.")
@click.option("--seed", default=0, show_default=True, help="The same seed makes the same firm.")
@click.option(
    "--effect",
    "effects",
    multiple=True,
    metavar="MECHANISM=STRENGTH",
    help="Such as reminders=0; 0 is off, 1 as documented.",
)
@click.option("--force", is_flag=True, help="Replace a simulated firm of this name.")
def simulate(name: str, customers: int, years: int, seed: int, effects: tuple[str, ...], force: bool) -> None:
    """Make up a firm with every table, and write it to data/NAME."""
    import re

    from crmlib.data.simulation.settings import simulation
    from crmlib.data.simulation.writer import write_firm
    from crmlib.places import find_root

    if not re.fullmatch(r"[A-Za-z0-9][A-Za-z0-9_-]*", name):
        raise StudyError(f"a study cannot be called {name!r}; use letters, digits, - and _, as in my-firm")
    settings = simulation(customers, years, seed, dict(map(_strength, effects)))
    folder = write_firm(settings, find_root() / "data" / name, force=force)
    click.echo(
        f"{folder / 'study.yaml'}: a simulated firm of {customers:,} customers and {years} years, seed {seed}"
    )


def _strength(text: str) -> tuple[str, float]:
    mechanism, equals, strength = text.partition("=")
    try:
        if not equals:
            raise ValueError
        return mechanism.strip(), float(strength)
    except ValueError:
        raise StudyError(f"--effect {text}: write a mechanism and its strength, as in reminders=0") from None

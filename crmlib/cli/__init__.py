"""The commands of `crm`."""

from crmlib.cli.commands import main

__all__ = ["main"]

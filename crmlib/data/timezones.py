"""Where a firm's days begin: the names that a study may give."""

from __future__ import annotations

from zoneinfo import available_timezones

from crmlib.errors import did_you_mean

AS_WRITTEN = "as written"  # the clock in the text is the firm's own, whatever offset follows it


def check_timezone(name: str) -> str:
    """Return the name of a time zone, or refuse one that nobody knows.

    Parameters
    ----------
    name : str
        A name of the IANA database, or "as written".

    Raises
    ------
    ValueError
        With the nearest name. All of them would be 600.

    Examples
    --------
    >>> check_timezone("Europe/Berlin")
    'Europe/Berlin'
    """
    known = {AS_WRITTEN, *available_timezones()}
    if name in known:
        return name
    listed = f"'{AS_WRITTEN}', UTC, or a region and city such as Europe/Berlin or America/New_York"
    raise ValueError(f"found {name!r}; {did_you_mean(name, sorted(known), listed)}")

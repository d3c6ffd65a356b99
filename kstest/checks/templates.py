"""Paths with dates in them, lengths of time in words, and the date of a run."""

from __future__ import annotations

import re
from datetime import datetime, timedelta

from ..errors import UsageError
from ..wording import shown

_UNITS = {"w": "weeks", "d": "days", "h": "hours", "m": "minutes", "s": "seconds"}
_DURATION = re.compile(r"([0-9]{1,6})([wdhms])")
_PLACE = re.compile(r"\{([^{}]*)\}")
_DATE = re.compile(r"date(?:([+-])([0-9]{1,6})([wdhm]))?(?::(.*))?", re.DOTALL)
_ACCEPTED = "{date:%Y-%m-%d}, or {date-7d:%Y-%m-%d} with w, d, h or m for weeks to minutes"


def render(template: str, now: datetime) -> str:
    """Write the date of a run into a path.

    Parameters
    ----------
    template : str
        ``{date:FORMAT}`` is the date in a format of `strftime`, ``{date-7d:FORMAT}`` that of the
        same weekday before; ``{date}`` alone is written 2026-01-31.
    now : datetime

    Raises
    ------
    UsageError
        For anything else in braces.

    Examples
    --------
    >>> render("in/{date-1d:%Y/%m-%d}.csv", datetime(2026, 3, 1))
    'in/2026/02-28.csv'
    """

    def written(place: re.Match[str]) -> str:
        found = _DATE.fullmatch(place[1])
        if found is None:
            raise UsageError(f"{shown(template)}: cannot read {place[0]}; accepted: {_ACCEPTED}.")
        sign, count, unit, form = found.groups()
        try:
            moved = timedelta(**{_UNITS[unit]: int(count)}) if unit else timedelta()
            when = now - moved if sign == "-" else now + moved
            text = when.strftime("%Y-%m-%d" if form is None else form)
        except (OverflowError, ValueError) as error:
            raise UsageError(f"{shown(template)}: {place[0]} is no date: {error}.") from error
        if "\0" in text:
            raise UsageError(f"{shown(template)}: {place[0]} makes no name of a file.")
        return text

    return _PLACE.sub(written, template)


def duration(text: str) -> timedelta:
    """Read a length of time such as 1h, 30m, 7d.

    Raises
    ------
    UsageError
    """
    found = _DURATION.fullmatch(text.strip())
    if found is None or not int(found[1]):
        raise UsageError(
            f"every {shown(text)}: give a length of time such as 15m, 1h, 1d or 1w (minutes to "
            "weeks)."
        )
    return timedelta(**{_UNITS[found[2]]: int(found[1])})


def date_of(text: str | None) -> datetime:
    """The date of a run, in local time: now, or as given.

    Raises
    ------
    UsageError
    """
    if not text:
        return datetime.now()
    try:
        when = datetime.fromisoformat(text.strip())
    except ValueError:
        raise UsageError(
            f"--date {shown(text)}: give a date such as 2026-01-31 or 2026-01-31T06:00."
        ) from None
    return when.astimezone().replace(tzinfo=None) if when.tzinfo else when

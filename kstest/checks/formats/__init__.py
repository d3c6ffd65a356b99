"""Formats of a report for other programs, one file each with `render(report, color) -> str`.

They render a `Report` and never compute; `kstest.checks.forms.FORMS` names them.
"""

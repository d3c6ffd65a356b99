"""Checks: tests that are written down in a file and run again and again, by cron or in CI.

::

    config -> templates -> execute   ->  control   ->  outcome -> report, shell
    checks    paths of     one test,     levels over   what to show,
              this run     its Result    time, Holm    exit code
                  |        schema                 |
                  +------------- history ---------+

`config` reads kstest.toml, `settings` what holds for a whole run and where that came from,
`position` finds the line of a key. `templates` makes paths of dates. `execute` is the only file
that knows how a test is run. `schema` compares columns by `profile`. `control` decides, from
p-values and from what `history` kept of earlier runs. `runner` calls these in turn and makes a
`Report`, a list of `Outcome`; the forms of a report render it and never compute. `starter` writes
the first kstest.toml.
"""

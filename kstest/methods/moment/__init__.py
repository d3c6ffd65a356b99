"""Steps of the moment test: what is asked, parameters, null distribution, statistic, report."""

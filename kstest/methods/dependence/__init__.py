"""What `hsic` is made of: blocks of columns, what is permuted, statistics, given columns."""

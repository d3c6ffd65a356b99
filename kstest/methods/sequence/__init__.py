"""What `seqksd` is made of: sequences and their model, statistics, explanation."""

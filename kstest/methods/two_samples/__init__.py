"""What the tests of two samples share: pooled rows, columns, explanations, pictures."""

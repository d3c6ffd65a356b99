"""What the tests of streams share: rows, detection, the course of the evidence, reports."""

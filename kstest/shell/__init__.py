"""The shell's side of kstest: commands, output files, progress. No statistics here."""

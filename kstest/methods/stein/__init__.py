"""What the Stein tests share: data with scores, statistics, modes, explanations."""

"""What is running: the version, and whether this process runs nothing but kstest."""

__version__ = "0.1.0"

# Set by the command line.
own_process = False

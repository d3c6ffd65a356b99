"""Steps of `kstest.methods.effect`."""

"""Coverage-guided fuzzing of what reads bytes from outside. ``python -m tests.fuzz TARGET -max_total_time=600`` runs
one for as long as wanted; the suite runs each for a fixed number of inputs."""

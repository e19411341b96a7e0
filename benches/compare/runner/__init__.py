"""The comparison's runner. Python 3.11 and nothing else."""

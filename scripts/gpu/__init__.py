"""What `scripts/gpu_check` does, a file for each step of it."""

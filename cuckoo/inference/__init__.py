"""The one worker pool: a child process per device runs diffusion."""

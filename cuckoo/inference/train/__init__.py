"""Trains the bundled model from nothing but three npm packages: ``python -m cuckoo.inference.train --out DIR``."""

import os

for _library in ("DIFFUSERS", "TRANSFORMERS"):  # they read this when they are imported
    os.environ.setdefault(f"{_library}_VERBOSITY", "error")

"""Settings of training: pydantic dataclasses, the YAML files that change them, and the search space.

In: YAML and `--set`. Out: one `Config`. Loads no PyTorch; needs the `train` extra.
"""

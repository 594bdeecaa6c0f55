"""Lets the tests import the offline package `training`, which is not installed with the service."""

import sys
from pathlib import Path

sys.path.append(str(Path(__file__).parents[2]))

import subprocess
import sys

import pytest

import components


def test_every_public_name_is_there() -> None:
    for name in components.__all__:
        assert getattr(components, name).__name__ == name


def test_other_names_are_refused() -> None:
    with pytest.raises(AttributeError, match="module 'components' has no attribute 'Trainer'"):
        components.Trainer  # noqa: B018


def test_importing_the_package_does_not_load_tfx() -> None:
    script = "import components, sys; sys.exit('tfx' in sys.modules)"
    subprocess.run([sys.executable, "-c", script], check=True)

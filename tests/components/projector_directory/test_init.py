import subprocess
import sys

import pytest

import components.projector_directory


def test_every_public_name_can_be_imported() -> None:
    for name in components.projector_directory.__all__:
        assert getattr(components.projector_directory, name).__name__ == name


def test_other_names_are_refused() -> None:
    with pytest.raises(AttributeError, match="no attribute 'read'"):
        components.projector_directory.read  # noqa: B018


@pytest.mark.slow
def test_names_that_need_no_tensorflow_do_not_load_it() -> None:
    program = (
        "import sys; from components.projector_directory import Bookmark, escape, metadata;"
        "sys.exit('tensorflow' in sys.modules)"
    )
    subprocess.run([sys.executable, "-c", program], check=True)

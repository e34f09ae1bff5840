from components.projector_directory.verify import Violation


def test_violations_name_file_and_row() -> None:
    assert str(Violation("metadata.tsv", 7, "is wrong")) == "metadata.tsv, row 7: is wrong"
    assert str(Violation("metadata.tsv", None, "is wrong")) == "metadata.tsv: is wrong"

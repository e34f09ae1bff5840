from components.projector_exporter.page.quality import quality_line


def test_each_measure_is_said() -> None:
    quality = {
        "bootstrap_overlap": 0.88,
        "neighbor_overlap": 0.32,
        "similarity_rho": 0.456,
        "tsne_trustworthiness": 0.931,
        "first_component_share": 0.123,
    }
    assert quality_line(quality).split("; ") == [
        "of ten neighbors 9 stay when the texts are drawn anew",
        "of ten neighbors 3 are those of the baseline",
        "correlation with people's judgments 0.46",
        "trustworthiness of t-SNE 0.93",
        "12% of the variance in the first component",
    ]


def test_what_is_not_known_is_not_said() -> None:
    assert quality_line({}) == ""
    assert quality_line({"tsne_trustworthiness": 1, "similarity_pairs": 3}) == (
        "trustworthiness of t-SNE 1.00"
    )

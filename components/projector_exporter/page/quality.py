"""Says in a line how good an embedding is."""

from collections.abc import Mapping


def quality_line(quality: Mapping[str, float]) -> str:
    """Describes the quality of an embedding in words.

    Args:
        quality: Measures by name, see `quality.json` in `EmbeddingProjection`; none is needed.

    Returns:
        Such as 'of ten neighbors 9 stay when the texts are drawn anew; trustworthiness of t-SNE
        0.93'; empty if nothing is known.
    """
    said = []
    if "bootstrap_overlap" in quality:
        kept = round(10 * quality["bootstrap_overlap"])
        said.append(f"of ten neighbors {kept} stay when the texts are drawn anew")
    if "neighbor_overlap" in quality:
        kept = round(10 * quality["neighbor_overlap"])
        said.append(f"of ten neighbors {kept} are those of the baseline")
    if "similarity_rho" in quality:
        said.append(f"correlation with people's judgments {quality['similarity_rho']:.2f}")
    if "tsne_trustworthiness" in quality:
        said.append(f"trustworthiness of t-SNE {quality['tsne_trustworthiness']:.2f}")
    if "first_component_share" in quality:
        share = f"{quality['first_component_share']:.0%}"
        said.append(f"{share} of the variance in the first component")
    return "; ".join(said)

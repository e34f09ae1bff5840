"""Makes the map: a projection as one HTML file that makes no request."""

from components.projector_exporter.page.document import MAP, add_facts, make_page

__all__ = ["MAP", "add_facts", "make_page"]

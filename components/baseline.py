"""Which blessed model a new one is compared with."""

from typing import Any

from tfx.components.evaluator import constants
from tfx.dsl.components.common import resolver
from tfx.types import artifact


class PreviousBlessedModelStrategy(resolver.ResolverStrategy):
    """Resolves the latest blessed model that is older than the candidate.

    TFX's LatestBlessedModelStrategy resolves, once the candidate is blessed, the candidate itself:
    a second run of an unchanged pipeline compares a model with itself, and its Evaluator is never
    served from the cache. Use as::

        Resolver(
            strategy_class=PreviousBlessedModelStrategy,
            candidate=trainer.outputs["model"],
            model=Channel(type=Model),
            model_blessing=Channel(type=ModelBlessing),
        )

    The outputs ``model`` and ``model_blessing`` hold one artifact each, or none.
    """

    def resolve_artifacts(
        self, store: Any, input_dict: dict[str, list[artifact.Artifact]]
    ) -> dict[str, list[artifact.Artifact]]:
        """Picks the baseline.

        Args:
            store: ML Metadata; not asked.
            input_dict: Artifacts of the keys ``candidate``, ``model`` and ``model_blessing``.

        Returns:
            The same keys with the chosen artifacts.
        """
        candidate = input_dict["candidate"]
        blessings = {
            blessing.get_int_custom_property(constants.ARTIFACT_PROPERTY_CURRENT_MODEL_ID_KEY): (
                blessing
            )
            for blessing in input_dict["model_blessing"]
            if blessing.get_int_custom_property(constants.ARTIFACT_PROPERTY_BLESSED_KEY) == 1
        }
        older = [
            model
            for model in input_dict["model"]
            if model.id in blessings and model.id < min(new.id for new in candidate)
        ]
        chosen = sorted(older, key=lambda model: model.id)[-1:]
        return {
            "candidate": candidate,
            "model": chosen,
            "model_blessing": [blessings[model.id] for model in chosen],
        }

"""Which layers of a pretrained encoder each arm uses."""

from dann_jax.report.charts import Bars, bars
from dann_jax.report.elements import Section, data_table, legend, note
from dann_jax.report.markup import join
from dann_jax.report.run import RunFiles
from dann_jax.report.table import Number, Table


def layers_section(run: RunFiles) -> Section | None:
    """The learned weights of layers; None where none were mixed."""
    charts = layer_charts(run)
    if not charts:
        return None
    text = (
        "Each network takes a learned mean of the encoder's layers, which begins with "
        "equal weights; 0 is the input of the first layer. Mean weights over folds and "
        "seeds, their standard deviation as a whisker. Features are standardised, so "
        "that no layer has more weight for larger values."
    )
    content = join([note(text), legend(run.arms), map(data_table, charts)])
    return Section("layers", "Layers", "Layers of the pretrained encoder", content)


def layer_charts(run: RunFiles) -> list[Table]:
    """A chart of the weights for each modality with layers."""
    return [
        bars(
            f"Weights of the layers of {name} in %",
            [
                Bars(
                    f"layer {number}",
                    "",
                    {
                        arm: Number(own["mean"][place], std=own["std"][place])
                        for arm, own in found["weights"].items()
                    },
                )
                for place, number in enumerate(found["numbers"])
            ],
            run.arms,
            label="layer",
            note="",
        )
        for name, found in run.results.get("layers", {}).items()
    ]

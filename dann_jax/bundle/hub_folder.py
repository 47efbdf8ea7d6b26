"""A bundle as a folder for the Hugging Face hub, from which it can be loaded again.

```
README.md                  the model card, with the front matter that the hub reads
config.json                what is `bundle.json` elsewhere
model.safetensors          the parameters
standardiser.safetensors   means and scales of the features, and what enrolling needs
checksums.txt
```
"""

from etils import epath

from dann_jax.bundle.card import model_card
from dann_jax.bundle.export import require_nobody_enrolled
from dann_jax.bundle.files import write_files
from dann_jax.bundle.hub_card import front_matter
from dann_jax.bundle.loading import HUB
from dann_jax.bundle.model import Bundle

_USE = """\
## Use

```
pip install dann_jax
dann-predict --model=hf://OWNER/NAME recording.wav
```

`OWNER/NAME` is the name of this model on the hub; the path of its folder does as well.
In Python it is `dann_jax.load_bundle("hf://OWNER/NAME")`.
"""


def write_hub_folder(bundle: Bundle, folder: epath.Path) -> None:
    """Write the folder and load it again.

    Args:
      bundle: to be published.
      folder: new; it is made here.

    Raises:
      BundleError: people are enrolled.
    """
    require_nobody_enrolled(bundle)
    folder.mkdir()
    description = bundle.description
    text = f"{front_matter(description)}\n{model_card(description)}\n{_USE}"
    (folder / "README.md").write_text(text)
    arrays = bundle.params, bundle.standardiser, bundle.priors
    write_files(folder, HUB, description, *arrays)

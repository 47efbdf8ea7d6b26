"""Flags of the commands that predict sound, for their model."""

from absl import app, flags

from dann_jax.bundle import Bundle, load_bundle
from dann_jax.bundle.enrolment import require_enrolment
from dann_jax.bundle.people import enrol_one
from dann_jax.bundle.recordings import Report, find_clips
from dann_jax.bundle.rejection import require_rejection
from dann_jax.cli import command

# Its flags are those of the command that makes them.
flags.disclaim_key_flags()


class ModelFlags:
    """The flags `model`, `allow_code`, `encoder`, `reject` and `enrol` of a command.

    Attributes:
      enrol: the recordings that `--enrol` names.
    """

    def __init__(self, command_flags: flags.FlagValues) -> None:
        self._model = flags.DEFINE_string(
            "model",
            None,
            "A bundle, or the work directory that holds it.",
            flag_values=command_flags,
        )
        self._allow_code = flags.DEFINE_bool(
            "allow_code",
            False,
            "Import the modules that the model names as its makers' own; they can do "
            "whatever you can.",
            flag_values=command_flags,
        )
        self._encoder = flags.DEFINE_string(
            "encoder",
            None,
            "Folder of the pretrained encoder that the model's features are made by, "
            "where it lies elsewhere than the Hugging Face cache.",
            flag_values=command_flags,
        )
        self._reject = flags.DEFINE_float(
            "reject",
            None,
            "Print the label unknown where no class has this probability, in (0, 1]; "
            "the probabilities are printed all the same.",
            flag_values=command_flags,
        )
        self.enrol = flags.DEFINE_multi_string(
            "enrol",
            [],
            "Recordings of the one person in all that is predicted (a file, folder, "
            "pattern or manifest; without labels; one is enough): their own statistics "
            "standardise the features of a model that was trained with "
            "data.standardise_by=speaker.",
            flag_values=command_flags,
        )

    @property
    def reject(self) -> float:
        """The threshold of `--reject`, 0 where nothing is rejected."""
        return 0.0 if self._reject.value is None else self._reject.value

    def check(self) -> None:
        """Raise `UsageError` unless a model is named, and the threshold is one."""
        command.require_flags(self._model)
        if self._reject.value is not None and not 0.0 < self.reject <= 1.0:
            raise app.UsageError(
                f"--reject is a probability above 0 and up to 1, such as .5; got "
                f"{self.reject:g}"
            )

    def load(
        self, *, report: Report, batch_size: int = 16, enrols: bool = False
    ) -> Bundle:
        """The model, if it can predict sound.

        Args:
          report: called with a line for each recording that nobody can be enrolled by.
          batch_size: of those recordings.
          enrols: whether the command enrols people itself.

        Raises:
          BundleError: it cannot.
        """
        bundle = load_bundle(
            self._model.value,
            allow_code=self._allow_code.value,
            encoder=self._encoder.value,
        )
        # Whether it can be done at all, before a line is written.
        bundle.require_answers()
        require_rejection(bundle.description, self.reject)
        bundle.extractors()
        if self.enrol.value or enrols:
            require_enrolment(bundle.description)
        if not self.enrol.value:
            return bundle
        voice = find_clips(self.enrol.value, listed=(), report=report)
        return enrol_one(bundle, voice, report=report, batch_size=batch_size)

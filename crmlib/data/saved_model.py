"""Save fitted models: only what prediction needs, without the customers of the fit."""

from __future__ import annotations

import pickle
from importlib.metadata import version
from pathlib import Path
from typing import Any, ClassVar, Self

from crmlib.data.staging import whole_file
from crmlib.errors import CrmError

_FORMAT = 1


class SavedModel:
    """`save`, `load` and pickles of a model that is made of scikit-learn's.

    Fitted attributes with a value for each customer stay with the fit: they are neither pickled nor saved.
    """

    of_the_fit: ClassVar[tuple[str, ...]] = ()

    def __getstate__(self) -> dict[str, Any]:
        return {name: value for name, value in self.__dict__.items() if name not in self.of_the_fit}

    def __getattr__(self, name: str) -> Any:
        where = f"{type(self).__name__}.{name}"
        if name in type(self).of_the_fit:
            raise AttributeError(
                f"{where} holds the customers of a fit: it is there after fit(), and neither pickled nor saved"
            )
        raise AttributeError(f"{where}: no such attribute")

    def save(self, path: str | Path) -> None:
        """Save the fitted model to a file, without the customers that it was fitted to."""
        content = {"format": _FORMAT, "model": type(self).__name__, "scikit-learn": version("scikit-learn")}
        with whole_file(Path(path)) as part:
            part.write_bytes(pickle.dumps(content | {"state": self.__getstate__()}))

    @classmethod
    def load(cls, path: str | Path) -> Self:
        """Read what `save` wrote. The file is a pickle: only open one that you or your firm has made.

        Raises CrmError if the file is of another model or version of scikit-learn, or no model's.
        """
        try:
            content = pickle.loads(Path(path).read_bytes())
            kind, versions = content["model"], (content["format"], content["scikit-learn"])
        except (pickle.UnpicklingError, EOFError, KeyError, TypeError, ValueError, OSError) as error:
            raise CrmError(f"{path} is no model's file; give one that {cls.__name__}.save wrote") from error
        if kind != cls.__name__:
            raise CrmError(f"{path} holds a {kind}, not a {cls.__name__}; load it with {kind}.load")
        if versions != (_FORMAT, version("scikit-learn")):
            raise CrmError(
                f"{path} was written with scikit-learn {versions[1]} in format {versions[0]}, and this is "
                f"{version('scikit-learn')} in format {_FORMAT}: predictions could differ; fit and save the model anew"
            )
        model = cls.__new__(cls)
        model.__dict__.update(content["state"])
        return model

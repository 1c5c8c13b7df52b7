"""Every failure a user can meet, each told in one line.

::

    NarrascopeError
    ├── SourceError      a corpus: folder, file, format or column
    ├── ScanError        the scan's own work: lost workers, a full disk
    ├── TagsError        a tag folder: missing, empty, torn, or written by other models
    ├── LabelsError      taxonomy, lexicon or labelled passages
    ├── ModelError       trained models: missing, damaged, or of another version
    ├── PolicyError      a policy or a `where` condition
    ├── ManifestError    a manifest, its source, or an exporter's refusal
    └── SettingsError    a setting or option

A message names the value, then what would be right, then the next act. The command line prints it
and exits with 1; the service answers with an RFC 9457 problem.
"""


class NarrascopeError(Exception):
    """Base of all failures that are the input's, not the program's; its text is one line."""


class SourceError(NarrascopeError):
    """A corpus cannot be read as asked: folder, file, format or column."""


class ScanError(NarrascopeError):
    """The scan could not go on; what it published stands, and the same command goes on from it."""


class TagsError(NarrascopeError):
    """A tag folder is missing, empty, torn, or was written by other models or options."""


class LabelsError(NarrascopeError):
    """The taxonomy, the lexicon or a file of labelled passages is malformed."""


class ModelError(NarrascopeError):
    """Trained models are missing, damaged or of another version."""


class PolicyError(NarrascopeError):
    """A policy or a `where` condition does not say something that can be done."""


class ManifestError(NarrascopeError):
    """A manifest is incomplete, does not fit its source, or cannot be exported as asked."""


class SettingsError(NarrascopeError):
    """A setting or option has a value that cannot be used."""


def one_line(error: BaseException) -> str:
    """Render a foreign exception for a message of one line."""
    return " ".join(f"{type(error).__name__}: {error}".split())[:500]

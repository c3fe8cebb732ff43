"""The one exception that callers of the exporter need to know."""


class ExportError(Exception):
    """The checkpoint cannot become a package. The message says why, and what to do about it, in one line."""

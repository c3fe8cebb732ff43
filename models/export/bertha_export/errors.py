"""The one exception that callers of the exporter need to know."""


class ExportError(Exception):
    """The checkpoint cannot become a package. The message says why, and what to do about it, in one line."""


def first_line(error: Exception) -> str:
    """What another library's exception says, short enough for one line."""
    return (str(error).strip() or type(error).__name__).splitlines()[0]

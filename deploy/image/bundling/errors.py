"""Why there is no bundle, in words for whoever asked for it."""


class BundleError(Exception):
    pass

"""Exports: the samples of a build as files for other tools, and which of them may be passed on."""

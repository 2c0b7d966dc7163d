"""Hard negatives: which labels of a dataset are asked for beside the ones that a text has."""

"""Results: the files that hold the scores of a run, and (``scores``, ``making``) how they come about.

What stands here is light to load, since the board reads results and nothing else.
"""

from massie.results.schema import RESULT, Result, Row, read_result, write_result

__all__ = ["RESULT", "Result", "Row", "read_result", "write_result"]

"""Results: the files that hold the scores of a run, and (``scores``, ``making``) how they come about.

What stands here is light to load, since the board reads results and nothing else.
"""

from massie.results.schema import RATES, RESULT, Result, Row, rates, read_result, write_result

__all__ = ["RATES", "RESULT", "Result", "Row", "rates", "read_result", "write_result"]

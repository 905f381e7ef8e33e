"""Bars from CSV and parquet files, as a source like any other.

Start reading at source.py.  columns, times (with instants) and numbers say how a file is understood; delimited (with
lines) and parquet read it, rows makes bars of it, and staging keeps them until ingest has taken them.
"""

from data.sources.files.columns import Columns
from data.sources.files.rows import BadLine
from data.sources.files.source import FileSource, open_files

__all__ = ["BadLine", "Columns", "FileSource", "open_files"]

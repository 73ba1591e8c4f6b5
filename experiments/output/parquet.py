"""Tables as Parquet: a table is a folder of part files, each complete.

``NAME.parquet`` holds ``part-00000.parquet`` and so on, which pandas, pyarrow, DuckDB and polars read as one table.
The bytes depend on the table and on the version of pyarrow alone.
"""

import io
from collections.abc import Iterable, Mapping
from typing import TYPE_CHECKING, Any

import numpy as np
import pandas as pd

if TYPE_CHECKING:
    import pyarrow as pa
    import pyarrow.parquet as pq

SUFFIX = ".parquet"
# zstd takes three fifths of the room of lz4, and half as long again. Numbers hardly repeat: a dictionary of them takes
# half as long again. Statistics of text columns double their time; the workload's are what readers skip parts by.
COMPRESSION = "lz4"
BATCH_ROWS = 1 << 16  # that a column's writer takes at once; pyarrow's 1024 take a tenth longer


def part_name(number: int) -> str:
    """Return the file name of a part.

    Parameters
    ----------
    number
        From 0.
    """
    return f"part-{number:05d}{SUFFIX}"


class PartWriter:
    """Writes a part of a table, one row group for each piece, into memory."""

    def __init__(self) -> None:
        self._buffer = io.BytesIO()
        self._writer: pq.ParquetWriter | None = None
        self._schema: pa.Schema | None = None  # of the first piece, any column with missing values
        self._fields: list[pa.Field] = []

    def write(self, piece: pd.DataFrame) -> None:
        """Add a piece.

        Parameters
        ----------
        piece
            With the columns of the first.
        """
        import pyarrow as pa

        table = _table(piece, self._schema)
        writer = self._writer
        if writer is None:
            writer = self._open(_required(table))
        elif any(table[field.name].null_count for field in self._fields if not field.nullable):
            writer = self._allow_missing()
        writer.write_table(table.cast(pa.schema(self._fields)))

    def _open(self, fields: "list[pa.Field]") -> "pq.ParquetWriter":
        """Begin the file, and return its writer."""
        import pyarrow as pa
        import pyarrow.parquet as pq

        integers = [field.name for field in fields if str(field.type).startswith("int")]
        numbers = {field.name for field in fields if str(field.type) == "double"}
        self._fields, self._buffer = fields, io.BytesIO()
        self._schema = pa.schema([field.with_nullable(True) for field in fields])
        self._writer = pq.ParquetWriter(
            self._buffer,
            pa.schema(fields),
            compression=COMPRESSION,
            write_batch_size=BATCH_ROWS,
            write_statistics=integers or False,
            use_dictionary=[field.name for field in fields if field.name not in numbers],
        )
        return self._writer

    def _allow_missing(self) -> "pq.ParquetWriter":
        """Begin the file anew with columns that may all have missing values, and write the earlier pieces again."""
        import pyarrow as pa
        import pyarrow.parquet as pq

        earlier = pq.ParquetFile(io.BytesIO(self.finish()))
        writer = self._open([field.with_nullable(True) for field in self._fields])
        for group in range(earlier.num_row_groups):
            writer.write_table(earlier.read_row_group(group).cast(pa.schema(self._fields)))
        return writer

    def finish(self) -> bytes:
        """Return the bytes of the file."""
        if self._writer is not None:
            self._writer.close()
        return self._buffer.getvalue()


def _required(table: "pa.Table") -> "list[pa.Field]":
    """Return the columns of a table: those of texts and whole numbers must have all values if they have them here.

    Whether a value is there takes a fifth of the time of writing where it has to be noted for each.
    """
    fields = []
    for field, column in zip(table.schema, table.columns, strict=True):
        fields.append(field.with_nullable(str(field.type) == "double" or column.null_count > 0))
    return fields


def part_bytes(pieces: Iterable[pd.DataFrame]) -> bytes:
    """Return a part of a table as the bytes of a file.

    Parameters
    ----------
    pieces
        Its pieces, with the same columns.
    """
    writer = PartWriter()
    for piece in pieces:
        writer.write(piece)
    return writer.finish()


def _table(frame: pd.DataFrame, schema: "pa.Schema | None" = None) -> "pa.Table":
    import pyarrow as pa

    columns = {str(name): _array(frame[name]) for name in frame.columns}
    if any(column is None for column in columns.values()):
        table = pa.Table.from_pandas(frame, schema, preserve_index=False, nthreads=1)
        return table.replace_schema_metadata(_without_row_numbers(table.schema.metadata))
    table = pa.table(columns)
    return table if schema in (None, table.schema) else table.cast(schema)


def _array(column: "pd.Series[Any]") -> "pa.Array | None":
    """Return a column as pyarrow has it, without a copy; none of types that pandas hands over better."""
    import pyarrow as pa

    # The least value tells whether any is missing, in a fraction of the time that a mask takes.
    if isinstance(column.array, pd.Categorical):
        codes = column.array.codes
        places = pa.array(codes, mask=codes < 0 if len(codes) and codes.min() < 0 else None)
        return pa.DictionaryArray.from_arrays(places, pa.array(column.array.categories), safe=False)
    values = column.to_numpy() if isinstance(column.dtype, np.dtype) else None
    if values is None or values.dtype.kind not in "iufb":
        return None
    some = values.dtype.kind == "f" and len(values) and np.isnan(values.min())
    return pa.array(values, mask=np.isnan(values) if some else None)


def _without_row_numbers(metadata: Mapping[bytes, bytes] | None) -> Mapping[bytes, bytes] | None:
    """Return metadata without pandas' own, which names the versions of libraries and the range of an index."""
    kept = {key: value for key, value in (metadata or {}).items() if key != b"pandas"}
    return kept or None

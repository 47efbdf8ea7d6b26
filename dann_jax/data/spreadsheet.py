"""The first sheet of an Excel file as lines of text."""

import io
import zipfile

from dann_jax.data.corpus import CorpusError
from dann_jax.utils.words import listed


def read_sheet(
    content: bytes, where: object
) -> tuple[list[tuple[int, list[str]]], str]:
    """The rows of the first sheet of an `.xlsx` file, without empty ones at its edges.

    Args:
      content: of the file.
      where: begins the message of an error.

    Returns:
      Row number and cells of each row that has any, the header first; and what to say
      of other sheets. A whole number has no decimals, an empty cell is an empty text.

    Raises:
      CorpusError: openpyxl is not installed, or it is no such file.
    """
    try:
        import openpyxl
    except ImportError:
        raise CorpusError(
            f"{where}: an Excel table needs openpyxl: pip install 'dann_jax[excel]'; "
            f"or save it as CSV"
        ) from None
    try:
        book = openpyxl.load_workbook(
            io.BytesIO(content), read_only=True, data_only=True
        )
    except (zipfile.BadZipFile, KeyError, ValueError, OSError) as error:
        raise CorpusError(f"{where}: is no Excel table, or damaged: {error}") from None
    sheet = book.worksheets[0]
    lines = [
        (number, [_text(value) for value in row])
        for number, row in enumerate(sheet.iter_rows(values_only=True), start=1)
    ]
    lines = [(number, row) for number, row in lines if any(row)]
    # A sheet may have been written to further right, and emptied again.
    filled = [n for _, row in lines for n, cell in enumerate(row, start=1) if cell]
    width = max(filled, default=0)
    others = [repr(other.title) for other in book.worksheets[1:]]
    note = f"its sheet {sheet.title!r} is read, not {listed(others)}" if others else ""
    return [(number, (row + [""] * width)[:width]) for number, row in lines], note


def _text(value: object) -> str:
    if value is None:
        return ""
    if isinstance(value, float) and value.is_integer():
        return str(int(value))
    return str(value).strip()

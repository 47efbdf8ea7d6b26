"""Names and messages as terminals, tables and pages can hold them."""

import re


def one_line(text: str) -> str:
    r"""The text with escapes for unprintable characters and line breaks.

    A file name is bytes; what is not UTF-8 among them is a surrogate in Python.

    Example:
      >>> print(one_line("a\nb\udcfc.wav"))
      a\nb\udcfc.wav
    """
    return "".join(c if c.isprintable() else ascii(c)[1:-1] for c in text)


def encodable(text: str) -> str:
    r"""The text with escapes for what UTF-8 cannot encode.

    Example:
      >>> print(encodable("m\udcfcller, café"))
      m\udcfcller, café
    """
    return text.encode("utf-8", "backslashreplace").decode()


def table_cell(text: str) -> str:
    """Text for a cell of a CSV file, which no spreadsheet takes for a formula.

    A cell that begins with `=`, `+`, `-`, `@` or a tab gets an apostrophe before it, as
    one types it there to enter text. A single character computes nothing and stays.

    Example:
      >>> table_cell("=HYPERLINK(1)"), table_cell("-dash.wav"), table_cell("-")
      ("'=HYPERLINK(1)", "'-dash.wav", '-')
    """
    text = encodable(text)
    return f"'{text}" if len(text) > 1 and text[0] in "=+-@\t\r\n" else text


def markdown_text(text: str) -> str:
    r"""Text that Markdown shows as it is: no HTML, no link, no line of its own.

    Underscores within words mean nothing to Markdown and stay.

    Example:
      >>> print(markdown_text("source_only <b>[x](y)"))
      source_only &lt;b&gt;\[x\](y)
    """
    text = (
        one_line(text).replace("&", "&amp;").replace("<", "&lt;").replace(">", "&gt;")
    )
    return re.sub(r"([\\`*\[\]|#!~])|(?<!\w)_|_(?!\w)", r"\\\g<0>", text)

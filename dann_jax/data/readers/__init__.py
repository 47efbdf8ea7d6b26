"""One reader a layout, all of which return a `Corpus` or its columns."""

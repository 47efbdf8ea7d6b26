"""The sections of a page, one file a family: a run to a `Section`, or to nothing."""

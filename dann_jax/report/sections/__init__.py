"""Sections of a page: functions from a run to a `Section`, or None."""

"""One run, start to end: its specification, its batches, its loop, its store."""

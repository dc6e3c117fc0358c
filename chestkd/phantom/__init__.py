"""The phantom: procedural chest radiographs with all 14 findings, in NIH's own layout."""

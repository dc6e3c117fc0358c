"""A preset on a data set, the runs that follow from it, and what they cost."""

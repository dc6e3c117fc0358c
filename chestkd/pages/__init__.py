"""What the book shows: one module for each page, named as its notebook."""

"""The phantom: procedural chest radiographs with all 14 findings, in NIH's own layout."""

from chestkd.data.phantom.specification import PhantomSpecification
from chestkd.data.phantom.writing import generate

__all__ = ["PhantomSpecification", "generate"]

"""Radiographs: readers, splits, and the memory map that training reads from."""

"""Pipelines whose costs drift: what it is worth to dispatch, to order or to cut anew meanwhile."""

"""In which order devices do the passes of their stages: search, bounds, proofs on small cases."""

"""Networks in torch: cut into stages, and the mathematics of one stage."""

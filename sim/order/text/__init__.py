"""Programs as text: ours written, and read in whatever form people bring them."""

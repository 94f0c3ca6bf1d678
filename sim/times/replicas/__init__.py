"""Many runs of one program at once, under other seeds, costs or links."""

"""Where to cut a network: the question as it is asked, every candidate simulated, the answer."""

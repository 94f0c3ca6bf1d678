"""Which weights a real network's passes used under every mitigation, and how it learnt."""

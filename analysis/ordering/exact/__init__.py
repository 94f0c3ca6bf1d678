"""The best order of small problems, with the proof that none is better: branch and bound."""

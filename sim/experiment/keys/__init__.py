"""Every key of the configuration as readers see it: a list of them, and a file to begin with."""

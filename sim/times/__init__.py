"""Times: what instructions cost, what they run on, and when each of them runs."""

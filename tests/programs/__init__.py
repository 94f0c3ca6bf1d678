"""Random programs: sound ones in every engine, and spoilt ones that are refused."""

"""Small studies of one claim each."""

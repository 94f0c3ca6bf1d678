"""Explanations for a screen: why what took its time did."""

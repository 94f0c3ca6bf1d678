"""Zero-bubble orders and DualPipe: golden orders, pictures, and the published idle times and peaks.
"""

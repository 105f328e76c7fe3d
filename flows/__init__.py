"""In what order: one screen per flow. Start reading at `flows/promote.py`."""

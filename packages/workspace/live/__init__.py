"""A look at a target before anything is changed: read-only questions, side by side, each with a time limit."""

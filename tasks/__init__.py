"""How patiently: one verb each, with retries, run names and artifacts; what is done stands in `workspace`."""

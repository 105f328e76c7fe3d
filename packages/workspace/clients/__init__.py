"""One module per outside thing. A client takes an address and a credential and knows no sibling."""

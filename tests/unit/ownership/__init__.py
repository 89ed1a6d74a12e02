"""A model of instances on one archive, which runs the code that decides between them."""

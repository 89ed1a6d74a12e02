"""The names of other images in the environment, and what each means to walsup."""
